import { connect, type Socket } from "node:net";
import { ApiKey } from "@millrace/wire";
import {
  type ClientEvents,
  Conversation,
  type Counterpart,
  describe,
} from "../handlers/conversation.ts";
import type { Expectation } from "../handlers/expectation.ts";

/** What is sent to, and held to how much patience. */
export interface LiveBroker extends Counterpart {
  readonly port: number;
  /** What must come within that time, unless the request itself asks to wait, in milliseconds. */
  readonly answerMsMax: number;
}

export interface LiveEvents extends ClientEvents {
  readonly opened: () => void;
}

/** How long a request that may wait is waited for, where nobody needs its answer. */
const shortMs = 150;
/** An answer that may take longer than that is not waited for at all. */
const patienceMsMax = 3_000;
/** Rebalances end with the longest rebalance or session timeout of their members. */
const rebalanceMsMax = 2_500;
const theEnd: Expectation = { kind: "close", why: "the client's end" };

/**
 * One real connection: a conversation over a socket. Whatever is due comes within a bounded time,
 * or is a fault; a reset that the client did not ask for is one, too.
 */
export class LiveClient {
  readonly #socket: Socket;
  readonly #broker: LiveBroker;
  readonly #events: LiveEvents;
  readonly #conversation: Conversation;
  #isHalfClosed = false;
  #isOver = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket, broker: LiveBroker, events: LiveEvents) {
    this.#socket = socket;
    this.#broker = broker;
    this.#events = events;
    this.#conversation = new Conversation(broker, events);
    socket.setNoDelay(true);
    socket.on("data", (chunk: Uint8Array) => this.#received(chunk));
    socket.on("end", () => this.#ended());
    socket.on("error", (error) => this.#failed(error));
  }

  /** Rejects when it can't connect. */
  static open(broker: LiveBroker, events: LiveEvents): Promise<LiveClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: broker.port, host: "127.0.0.1", allowHalfOpen: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        events.opened();
        resolve(new LiveClient(socket, broker, events));
      });
    });
  }

  /** It takes nothing more: it left, ended its side, or the broker closed. */
  get isDone(): boolean {
    return this.#isOver || this.#isHalfClosed;
  }

  send(bytes: Uint8Array): void {
    if (this.isDone) return;
    this.#conversation.sent(bytes);
    this.#socket.write(bytes);
  }

  /** Sends nothing more; what was asked is still to be answered, and then the broker closes. */
  halfClose(): void {
    if (this.isDone) return;
    this.#isHalfClosed = true;
    this.#socket.end();
  }

  /** The client goes away: nothing is expected any more. */
  leave(how: "end" | "reset"): void {
    this.#isOver = true;
    this.#conversation.forget();
    // libuv does not reset, and then never closes, a socket whose own side has ended.
    if (how === "reset" && !this.#socket.writableEnded) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
    this.#wake();
  }

  /**
   * Waits for all that is due. `short` gives up, without a fault, on a request that may wait for
   * others; `full` only on one that asks for more time than there is. True when nothing is due.
   */
  async settled(patience: "short" | "full"): Promise<boolean> {
    let due = this.#due;
    let sinceMs = performance.now();
    while (due !== undefined) {
      const mayWaitMs = longestWaitMs(due);
      const isGivenUp = patience === "short" ? mayWaitMs > 0 : mayWaitMs > patienceMsMax;
      const limitMs = isGivenUp ? shortMs : mayWaitMs + this.#broker.answerMsMax;
      const leftMs = sinceMs + limitMs - performance.now();
      if (leftMs <= 0) {
        if (!isGivenUp) this.#overdue(due, limitMs);
        return false;
      }
      await this.#moves(leftMs);
      if (this.#due === due) continue;
      due = this.#due;
      sinceMs = performance.now();
    }
    return true;
  }

  get #due(): Expectation | undefined {
    if (this.#isOver) return undefined;
    return this.#conversation.next ?? (this.#isHalfClosed ? theEnd : undefined);
  }

  #overdue(due: Expectation, limitMs: number): void {
    const what = due.kind === "close" ? "the connection stays open after" : "no answer to";
    this.#events.fault(`${what} ${describe(due)}, for ${limitMs} ms`);
    this.leave("reset");
  }

  /** Until something came, or the time is over. */
  #moves(msMax: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, msMax);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #received(chunk: Uint8Array): void {
    if (this.#isOver) return;
    this.#conversation.received(chunk);
    this.#wake();
  }

  #ended(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.end();
    const isByClient = this.#isHalfClosed && this.#conversation.next === undefined;
    if (!isByClient) {
      const reason = this.#conversation.closedByBroker();
      if (reason === undefined) this.#events.fault("closed for no reason");
    }
    this.#wake();
  }

  #failed(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.fault(`${error.message}, before ${describe(this.#conversation.next)}`);
    this.#wake();
  }
}

/** How long a request may rightly be left without an answer: 0 for nearly all. */
export function longestWaitMs(due: Expectation): number {
  if (due.kind === "close") return 0;
  if (due.apiKey === ApiKey.Fetch) {
    return Math.max(0, (due.request as { readonly maxWaitMs: number }).maxWaitMs);
  }
  if (due.apiKey === ApiKey.SyncGroup) return rebalanceMsMax;
  return due.apiKey === ApiKey.JoinGroup ? Math.max(rebalanceMsMax, rebalanceMs(due)) : 0;
}

/** What a member asks a rebalance to wait for it; 0 for what is no member's. */
export function rebalanceMs(sent: Expectation): number {
  if (sent.kind === "close" || sent.apiKey !== ApiKey.JoinGroup) return 0;
  return Math.abs((sent.request as { readonly rebalanceTimeoutMs: number }).rebalanceTimeoutMs);
}
