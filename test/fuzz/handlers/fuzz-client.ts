import { outputWatermarkBytes } from "../../../broker-fargate/src/limits.ts";
import type { Link, LinkListener } from "../../../broker-fargate/src/server/link.ts";
import { type ClientEvents, Conversation, describe } from "./conversation.ts";
import { frameBytesMax, type FuzzBroker } from "./fuzz-broker.ts";

/** One connection over a link in memory: a conversation whose every step is seen. */
export class FuzzClient {
  readonly name: string;
  readonly #events: ClientEvents;
  readonly #broker: FuzzBroker;
  readonly #listener: LinkListener;
  readonly #conversation: Conversation;
  /** Written by the broker, and not taken yet: it may not change before it is. */
  #written: { readonly parts: readonly Uint8Array[]; readonly sent: (() => void) | undefined }[] =
    [];
  /** Sent while the broker did not read. */
  #held: Uint8Array[] = [];
  #isPaused = false;
  #isFull = false;
  #closing: "written" | "now" | undefined;
  #isClosed = false;

  constructor(name: string, broker: FuzzBroker, events: ClientEvents) {
    this.name = name;
    this.#broker = broker;
    this.#events = events;
    const served = () => broker.opened.dispatcher.servedApis();
    this.#conversation = new Conversation({ served, frameBytesMax }, events);
    const listener = { name: "PLAINTEXT", host: "broker", port: 9092 };
    this.#listener = broker.server.connect({ link: this.#link(), clientHost: name, listener });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether a reply is due. */
  get isWaiting(): boolean {
    return !this.#isClosed && this.#conversation.isWaiting;
  }

  send(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#conversation.sent(bytes);
    if (this.#isPaused) this.#held.push(bytes);
    else this.#listener.receive(bytes);
  }

  /** Takes what was written, and lets the broker have what it did not read; false: nothing to do. */
  move(): boolean {
    const written = this.#written;
    const hadWork = written.length > 0 || (!this.#isPaused && this.#held.length > 0);
    this.#written = [];
    if (written.length > 0) {
      this.#conversation.received(...written.flatMap(({ parts }) => parts));
      for (const { sent } of written) sent?.();
    }
    if (this.#closing !== undefined && !this.#isClosed && this.#written.length === 0) {
      this.#over(undefined);
      return true;
    }
    if (this.#isFull && this.#written.length === 0) {
      this.#isFull = false;
      this.#listener.drained();
    }
    while (!this.#isPaused && this.#held.length > 0 && !this.#isClosed) {
      this.#listener.receive(this.#held.shift() ?? new Uint8Array(0));
    }
    return hadWork;
  }

  /** The client goes away: nothing is expected any more. */
  close(how: "end" | "reset"): void {
    if (this.#isClosed) return;
    this.#conversation.forget();
    this.#over(how === "end" ? undefined : new Error("reset by the client"));
  }

  /** To be called when nothing moves: a request that ends the connection must have ended it. */
  checkAtRest(): void {
    const { first } = this.#conversation;
    if (this.#isClosed || first?.kind !== "close") return;
    this.#events.fault(`the connection stays open after ${first.why}`);
    this.close("reset");
  }

  #link(): Link {
    return {
      write: (parts, sent) => {
        if (this.#closing !== undefined || this.#isClosed) return "ok";
        this.#written.push({ parts, sent });
        this.#isFull ||= this.#unsentBytes() > outputWatermarkBytes;
        return this.#isFull ? "full" : "ok";
      },
      unsentBytes: () => this.#unsentBytes(),
      pause: () => {
        this.#isPaused = true;
      },
      resume: () => {
        this.#isPaused = false;
      },
      close: (when) => {
        this.#closing = when;
        if (when === "now") this.#written = [];
      },
    };
  }

  #unsentBytes(): number {
    let bytes = 0;
    for (const { parts } of this.#written) for (const part of parts) bytes += part.length;
    return bytes;
  }

  /** The connection is gone: by the broker with a line in its log, or by the client. */
  #over(error: Error | undefined): void {
    this.#isClosed = true;
    if (this.#closing !== undefined) {
      const reason = this.#conversation.closedByBroker();
      if (reason === undefined) this.#events.fault("closed for no reason");
      if (!this.#broker.toldOf.has(this.name)) {
        this.#events.fault(`closed without a line in the log: ${describe(reason)}`);
      }
    }
    this.#conversation.forget();
    this.#listener.closed(error);
  }
}
