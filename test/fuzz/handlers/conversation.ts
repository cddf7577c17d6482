import { ApiKey, apis } from "@millrace/wire";
import type { ServedApi } from "../../../broker-fargate/src/server/dispatcher.ts";
import { joined } from "../mutate-bytes.ts";
import { type CheckedReply, checkReply, unknownServerError } from "./check-reply.ts";
import { type Expectation, expectationOf, SentFrames } from "./expectation.ts";

type Awaited = Extract<Expectation, { readonly kind: "reply" | "silence" }>;

/** What a client tells of: what it got, and what should not have been. */
export interface ClientEvents {
  readonly sent: (expectation: Expectation) => void;
  readonly replied: (awaited: Awaited, reply: CheckedReply) => void;
  readonly fault: (what: string) => void;
}

/** What a client sees of a broker before it says anything. */
export interface Counterpart {
  readonly served: () => readonly ServedApi[];
  readonly frameBytesMax: number;
}

/**
 * What goes over one connection, whatever carries it. Any bytes may be sent; what has to come back
 * follows from them: replies in the order of the requests, each a valid one, up to the first
 * request that ends the connection.
 */
export class Conversation {
  readonly #counterpart: Counterpart;
  readonly #events: ClientEvents;
  readonly #frames: SentFrames;
  #awaited: Expectation[] = [];
  #received: Uint8Array = new Uint8Array(0);

  constructor(counterpart: Counterpart, events: ClientEvents) {
    this.#counterpart = counterpart;
    this.#events = events;
    this.#frames = new SentFrames(counterpart.frameBytesMax);
  }

  /** Whether a reply is due. */
  get isWaiting(): boolean {
    return this.#awaited.some(({ kind }) => kind === "reply");
  }

  /** What was sent first of what was not answered yet. */
  get first(): Expectation | undefined {
    return this.#awaited[0];
  }

  /** What has to come next; `silence` says nothing about that. */
  get next(): Expectation | undefined {
    return this.#awaited.find(({ kind }) => kind !== "silence");
  }

  sent(bytes: Uint8Array): void {
    const { served } = this.#counterpart;
    for (const frame of this.#frames.take(bytes)) {
      const expectation: Expectation =
        frame === "bad"
          ? { kind: "close", why: "a length that no frame may have" }
          : expectationOf(frame, served());
      this.#awaited.push(expectation);
      this.#events.sent(expectation);
    }
  }

  received(...parts: readonly Uint8Array[]): void {
    const all = joined(this.#received, ...parts);
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

  /** The client goes away: nothing is expected any more. */
  forget(): void {
    this.#awaited = [];
  }

  /** The broker has closed the connection: what was asked before that has to be why. */
  closedByBroker(): Expectation | undefined {
    const open = this.#awaited;
    this.#awaited = [];
    const reason = open.find(({ kind }) => kind !== "silence") ?? open[0];
    const isSilence = open[0]?.kind === "silence";
    if (reason?.kind === "reply" && !isSilence) {
      this.#events.fault(`closed instead of answered: ${describe(reason)}`);
    }
    return reason;
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
