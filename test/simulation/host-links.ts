import type { AdvertisedListener } from "../../broker-fargate/src/handlers/handler.ts";
import type { Server } from "../../broker-fargate/src/server/server.ts";
import type { Life } from "./life.ts";
import type { Direction, Network, Pipe } from "./network.ts";
import { type LinkedClient, linkTo } from "./simulated-link.ts";

export type LinkCut = "both" | Direction;

/** The links between clients and the lives of one broker. */
export class HostLinks {
  readonly #network: Network;
  readonly #listener: AdvertisedListener;
  readonly #pipes = new Set<Pipe>();
  #isCut: LinkCut | undefined;

  constructor(network: Network, listener: AdvertisedListener) {
    this.#network = network;
    this.#listener = listener;
  }

  /** Undefined: it can't be reached. */
  connect(
    broker: { readonly life: Life; readonly server: Server },
    client: LinkedClient,
  ): Pipe | undefined {
    if (this.#isCut === "both") return undefined;
    const linked = { ...broker, listener: this.#listener, pipes: this.#pipes };
    const pipe = linkTo(linked, this.#network, client);
    this.#hold(pipe);
    return pipe;
  }

  /** Nothing passes in that direction until it is mended. */
  cut(which: LinkCut): void {
    this.#isCut = which;
    for (const pipe of this.#pipes) this.#hold(pipe);
  }

  mend(): void {
    this.#isCut = undefined;
    for (const pipe of this.#pipes) {
      pipe.request.release();
      pipe.reply.release();
    }
  }

  reset(cause: string): void {
    for (const pipe of [...this.#pipes]) pipe.reset(cause);
  }

  #hold(pipe: Pipe): void {
    if (this.#isCut === "both" || this.#isCut === "request") pipe.request.hold();
    if (this.#isCut === "both" || this.#isCut === "reply") pipe.reply.hold();
  }
}
