import type { AdvertisedListener } from "../../broker-fargate/src/handlers/handler.ts";
import type { Link } from "../../broker-fargate/src/server/link.ts";
import type { Server } from "../../broker-fargate/src/server/server.ts";
import type { Life } from "./life.ts";
import type { Network, Pipe } from "./network.ts";

/** Unsent bytes of a link above which the broker is told to wait. */
const linkWatermarkBytes = 8 * 1024;

export interface LinkedClient {
  readonly name: string;
  readonly received: (chunk: Uint8Array) => void;
  readonly closed: (error: Error | undefined) => void;
}

/** One life of a broker, as links reach it. */
export interface LinkedBroker {
  readonly life: Life;
  readonly server: Server;
  readonly pipes: Set<Pipe>;
  /** Where it says that clients reach it. */
  readonly listener: AdvertisedListener;
}

/**
 * A link between a client and one life of the broker; `pipes` has it as long as it is open. A paused
 * broker's kernel takes connections and bytes; the broker hears of them when it goes on.
 */
export function linkTo(broker: LinkedBroker, network: Network, client: LinkedClient): Pipe {
  const { life, pipes, server } = broker;
  let listener: ReturnType<Server["connect"]> | undefined;
  let isFull = false;
  let closing: "written" | "now" | undefined;
  const pipe: Pipe = network.pipe({
    received: {
      request: (chunk) => life.deliver(() => listener?.receive(chunk)),
      reply: client.received,
    },
    drained: {
      request: () => undefined,
      reply: () => {
        if (closing === "written") pipe.close(undefined);
        else if (isFull) {
          isFull = false;
          life.deliver(() => listener?.drained());
        }
      },
    },
    closed: (error) => {
      pipes.delete(pipe);
      client.closed(error);
      life.deliver(() => listener?.closed(error));
    },
  });
  const link: Link = {
    write: (parts, sent) => {
      life.check("link write");
      if (closing !== undefined || life.isFrozen) return "ok";
      pipe.reply.send(parts, () => life.deliver(() => sent?.()));
      isFull ||= pipe.reply.unsentBytes > linkWatermarkBytes;
      return isFull ? "full" : "ok";
    },
    unsentBytes: () => pipe.reply.unsentBytes,
    pause: () => pipe.request.pause(),
    resume: () => pipe.request.resume(),
    close: (when) => {
      if (closing !== undefined && when === "written") return;
      closing = when;
      if (when === "now" || pipe.reply.unsentBytes === 0) pipe.close(undefined);
    },
  };
  life.deliver(() => {
    listener = server.connect({ link, clientHost: client.name, listener: broker.listener });
  });
  pipes.add(pipe);
  return pipe;
}
