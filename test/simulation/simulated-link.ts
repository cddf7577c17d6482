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

/** A link between a client and one life of the broker; `pipes` has it as long as it is open. */
export function linkTo(
  broker: { readonly life: Life; readonly server: Server; readonly pipes: Set<Pipe> },
  network: Network,
  client: LinkedClient,
): Pipe {
  const { life, pipes, server } = broker;
  let isFull = false;
  let closing: "written" | "now" | undefined;
  const pipe: Pipe = network.pipe({
    received: {
      request: (chunk) => {
        if (!life.isOver) listener.receive(chunk);
      },
      reply: client.received,
    },
    drained: {
      request: () => undefined,
      reply: () => {
        if (closing === "written") pipe.close(undefined);
        else if (isFull && !life.isOver) {
          isFull = false;
          listener.drained();
        }
      },
    },
    closed: (error) => {
      pipes.delete(pipe);
      client.closed(error);
      if (!life.isOver) listener.closed(error);
    },
  });
  const link: Link = {
    write: (parts, sent) => {
      life.check("link write");
      if (closing !== undefined || life.isFrozen) return "ok";
      pipe.reply.send(parts, () => {
        if (!life.isOver) sent?.();
      });
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
  const listener = server.connect({
    link,
    clientHost: client.name,
    listener: { name: "PLAINTEXT", host: "broker", port: 9092 },
  });
  pipes.add(pipe);
  return pipe;
}
