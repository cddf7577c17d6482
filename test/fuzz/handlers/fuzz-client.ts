import { ApiKey, apis } from "@millrace/wire";
import { outputWatermarkBytes } from "../../../broker-fargate/src/limits.ts";
import type { Link, LinkListener } from "../../../broker-fargate/src/server/link.ts";
import { joined } from "../mutate-bytes.ts";
import { type CheckedReply, checkReply, unknownServerError } from "./check-reply.ts";
import { type Expectation, expectationOf, SentFrames } from "./expectation.ts";
import { frameBytesMax, type FuzzBroker } from "./fuzz-broker.ts";

type Awaited = Extract<Expectation, { readonly kind: "reply" | "silence" }>;

/** What a client tells of: what it got, and what should not have been. */
export interface ClientEvents {
  readonly sent: (expectation: Expectation) => void;
  readonly replied: (awaited: Awaited, reply: CheckedReply) => void;
  readonly fault: (what: string) => void;
}

/**
 * One connection. It may send any bytes; what has to come back follows from them: replies in the
 * order of the requests, each a valid one, up to the first request that ends the connection.
 */
export class FuzzClient {
  readonly name: string;
  readonly #events: ClientEvents;
  readonly #broker: FuzzBroker;
  readonly #listener: LinkListener;
  readonly #frames: SentFrames = new SentFrames(frameBytesMax);
  #awaited: Expectation[] = [];
  /** Written by the broker, and not taken yet: it may not change before it is. */
  #written: { readonly parts: readonly Uint8Array[]; readonly sent: (() => void) | undefined }[] =
    [];
  #received: Uint8Array = new Uint8Array(0);
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
    const listener = { name: "PLAINTEXT", host: "broker", port: 9092 };
    this.#listener = broker.server.connect({ link: this.#link(), clientHost: name, listener });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether a reply is due. */
  get isWaiting(): boolean {
    return !this.#isClosed && this.#awaited.some(({ kind }) => kind === "reply");
  }

  send(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    const { dispatcher } = this.#broker.opened;
    for (const frame of this.#frames.take(bytes)) {
      const expectation: Expectation =
        frame === "bad"
          ? { kind: "close", why: "a length that no frame may have" }
          : expectationOf(frame, dispatcher.servedApis());
      this.#awaited.push(expectation);
      this.#events.sent(expectation);
    }
    if (this.#isPaused) this.#held.push(bytes);
    else this.#listener.receive(bytes);
  }

  /** Takes what was written, and lets the broker have what it did not read; false: nothing to do. */
  move(): boolean {
    const written = this.#written;
    const hadWork = written.length > 0 || (!this.#isPaused && this.#held.length > 0);
    this.#written = [];
    if (written.length > 0) {
      this.#received = joined(this.#received, ...written.flatMap(({ parts }) => parts));
      this.#readReplies();
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
    this.#awaited = [];
    this.#over(how === "end" ? undefined : new Error("reset by the client"));
  }

  /** To be called when nothing moves: a request that ends the connection must have ended it. */
  checkAtRest(): void {
    const [first] = this.#awaited;
    if (this.#isClosed || first?.kind !== "close") return;
    this.#events.fault(`the connection stays open after ${first.why}`);
    this.close("reset");
  }

  get overdue(): string | undefined {
    const first = this.#awaited.find(({ kind }) => kind !== "silence");
    return first === undefined || this.#isClosed ? undefined : describe(first);
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

  #readReplies(): void {
    const all = this.#received;
    const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
    let at = 0;
    while (all.length - at >= 4) {
      const end = at + 4 + view.getInt32(at);
      if (end > all.length) break;
      this.#reply(all.slice(at + 4, end));
      at = end;
    }
    this.#received = all.slice(at);
  }

  #reply(frame: Uint8Array): void {
    let awaited = this.#awaited.shift();
    while (awaited?.kind === "silence") awaited = this.#awaited.shift();
    if (awaited?.kind !== "reply") {
      this.#events.fault(`a reply of ${frame.length} bytes that nobody asked for`);
      return;
    }
    const where = describe(awaited);
    try {
      const reply = checkReply(frame, awaited);
      if (reply.correlationId !== awaited.correlationId) {
        this.#events.fault(`${where}: the reply is to another request`);
      }
      for (const fault of reply.faults) this.#events.fault(`${where}: ${fault}`);
      if (reply.errorCodes.includes(unknownServerError) && !mayBeTooLarge(awaited)) {
        this.#events.fault(`${where}: UNKNOWN_SERVER_ERROR`);
      }
      this.#events.replied(awaited, reply);
    } catch (error) {
      this.#events.fault(`${where}: the reply can't be decoded: ${String(error)}`);
    }
  }

  /** The connection is gone. What was asked before that has to be why, with a line in the log. */
  #over(error: Error | undefined): void {
    this.#isClosed = true;
    const isByBroker = this.#closing !== undefined;
    const open = this.#awaited;
    this.#awaited = [];
    if (isByBroker) this.#checkEnd(open);
    this.#listener.closed(error);
  }

  #checkEnd(open: readonly Expectation[]): void {
    const reason = open.find(({ kind }) => kind !== "silence") ?? open[0];
    const isSilence = open[0]?.kind === "silence";
    if (reason?.kind === "reply" && !isSilence) {
      this.#events.fault(`closed instead of answered: ${describe(reason)}`);
    }
    if (reason === undefined) this.#events.fault("closed for no reason");
    if (!this.#broker.toldOf.has(this.name)) {
      this.#events.fault(`closed without a line in the log: ${describe(reason)}`);
    }
  }
}

/** What a group can't store is answered so, as in Kafka: see `groupTooLarge` in group-errors.ts. */
const groupApis: readonly ApiKey[] = [ApiKey.JoinGroup, ApiKey.SyncGroup];
const largeBytesMin = 25_000;

function mayBeTooLarge({ apiKey, requestBytes }: Awaited): boolean {
  return groupApis.includes(apiKey) && requestBytes > largeBytesMin;
}

export function describe(expectation: Expectation | undefined): string {
  if (expectation === undefined) return "nothing";
  if (expectation.kind === "close") return expectation.why;
  return nameOf(expectation.apiKey, expectation.version);
}

export function nameOf(apiKey: ApiKey, version: number): string {
  return `${apis[apiKey].name} v${version}`;
}
