import {
  AssertionError,
  assert,
  assertKey,
  type Clock,
  type Item,
  keyBytesMax,
  type KeyRange,
  MetadataError,
  type MetadataStore,
  type Page,
  type Random,
  rangePartition,
  type Timer,
  type TransactOutcome,
  transactBytesMax,
  transactWritesMax,
  type Write,
} from "@millrace/core";
import {
  hostedBackoffMsFirst,
  hostedBackoffMsMax,
  hostedCallBytesMax,
  hostedCallMsMax,
  hostedCallsInFlightMax,
  hostedCallsMax,
  hostedSendBytesMax,
  hostReplyFrameBytesMax,
  hostRequestsInFlightMax,
} from "./limits.ts";
import { parsedItem, parsedOutcome, parsedPage, withJsons, type WriteBytes } from "./item-bytes.ts";
import { HostLink } from "./metadata-host-link.ts";
import type { Answer, Query, Reply } from "./metadata-host-messages.ts";
import { assertSocketPath } from "./socket-path.ts";

export interface HostedStoreLimits {
  readonly callsMax: number;
  readonly callBytesMax: number;
  readonly callsInFlightMax: number;
  readonly callMsMax: number;
}

export const hostedStoreLimits: HostedStoreLimits = {
  callsMax: hostedCallsMax,
  callBytesMax: hostedCallBytesMax,
  callsInFlightMax: hostedCallsInFlightMax,
  callMsMax: hostedCallMsMax,
};

assert(
  hostedCallBytesMax > transactBytesMax + transactWritesMax * keyBytesMax,
  "the largest call alone would be refused",
);
assert(
  hostedCallsInFlightMax <= hostRequestsInFlightMax,
  "a client would send what the host does not read",
);

export interface HostedMetadataStoreDeps {
  /** Of the MetadataHost. */
  readonly socketPath: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<HostedStoreLimits>;
}

interface Call {
  readonly id: number;
  readonly query: Query;
  readonly bytes: number;
  readonly deadlineMs: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  /** Of a transaction: the client's newest `at` when it was first sent; absent: never sent. */
  since: number | undefined;
}

/**
 * The metadata store that a MetadataHost has on a socket of this machine. All reads are strong.
 *
 * A call outlives its connection: when the host goes away, calls wait for the next one, which is
 * looked for with growing, jittered waits as long as a call waits for it, and are sent again. A
 * transaction carries a random write id, so that one whose reply was lost is not applied again, and
 * its outcome is learnt. A call that has no answer in time fails, retriably; a transaction then says
 * `applied: "no"` if it was never sent, and otherwise `maybe`: it may even be applied later.
 */
export class HostedMetadataStore implements MetadataStore {
  readonly #deps: HostedMetadataStoreDeps;
  readonly #limits: HostedStoreLimits;
  readonly #client: string;
  /** All that are not answered, the earliest deadline first. */
  readonly #calls = new Map<number, Call>();
  /** Sent on this link and not answered there, also when their time is over. */
  readonly #inFlight = new Map<number, Call>();
  /** Of `#calls`, those that are not in flight, in the order in which they are sent. */
  #waiting = new Set<Call>();
  #callBytes = 0;
  #lastId = 0;
  #at = 0;
  #link: HostLink | undefined;
  #failedLinks = 0;
  #lastCause: Error | undefined;
  #backoff: Timer | undefined;
  #deadline: Timer | undefined;
  #isClosed = false;

  /** Connects when it is first called. Throws MetadataError for a path that is too long. */
  constructor(deps: HostedMetadataStoreDeps) {
    assertSocketPath(deps.socketPath);
    this.#deps = deps;
    this.#limits = { ...hostedStoreLimits, ...deps.limits };
    this.#client = randomId(deps.random);
  }

  async get(key: string): Promise<Item | undefined> {
    assertKey(key);
    const { items } = pageOf(await this.#answerTo({ op: "get", key }, key.length));
    const [item] = items;
    return item === undefined ? undefined : parsedItem(item);
  }

  async range(range: KeyRange): Promise<Page> {
    rangePartition(range);
    const { from, to, limit } = range;
    const query: Query = { op: "range", from, to, limit };
    return parsedPage(pageOf(await this.#answerTo(query, from.length + to.length)));
  }

  async transact(writes: readonly Write[]): Promise<TransactOutcome> {
    const listed = withJsons(writes);
    const bytes = listed.reduce((sum, write) => sum + sizeOf(write), 0);
    const writeId = randomId(this.#deps.random);
    const query: Query = { op: "transact", writeId, again: false, since: 0, writes: listed };
    const answer = await this.#answerTo(query, bytes);
    if (answer.kind === "done") return { ok: true };
    if (answer.kind !== "refused") throw unexpected(answer);
    return parsedOutcome({ ok: false, refused: answer.refused });
  }

  /** Calls that are not answered fail. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#backoff?.cancel();
    this.#link?.end();
    this.#link = undefined;
    for (const call of this.#calls.values()) {
      this.#fail(call, { message: "the store was closed", retriable: false });
    }
  }

  #answerTo(query: Query, queryBytes: number): Promise<Answer> {
    const { callsMax, callBytesMax, callMsMax } = this.#limits;
    if (this.#isClosed) throw refusal("the store is closed", { retriable: false });
    if (this.#calls.size >= callsMax || this.#callBytes + queryBytes > callBytesMax) {
      throw refusal("too many calls wait for the metadata host", { retriable: true });
    }
    this.#lastId += 1;
    const id = this.#lastId;
    const deadlineMs = this.#deps.clock.monotonicMs() + callMsMax;
    return new Promise((resolve, reject) => {
      const call: Call = {
        ...{ id, query, bytes: queryBytes, deadlineMs, resolve, reject },
        since: undefined,
      };
      this.#calls.set(id, call);
      this.#callBytes += queryBytes;
      this.#waiting.add(call);
      this.#watchDeadline();
      this.#sendWaiting();
    });
  }

  #sendWaiting(): void {
    if (this.#waiting.size === 0) return;
    const link = this.#link;
    if (link === undefined) return this.#connect();
    if (!link.isWelcome) return;
    for (const call of this.#waiting) {
      if (this.#inFlight.size >= this.#limits.callsInFlightMax) break;
      if (link.unsentBytes >= hostedSendBytesMax) break;
      this.#send(link, call);
    }
  }

  #send(link: HostLink, call: Call): void {
    this.#waiting.delete(call);
    this.#inFlight.set(call.id, call);
    const again = call.since !== undefined;
    call.since ??= this.#at;
    const { id, query, since } = call;
    link.send(query.op === "transact" ? { id, ...query, again, since } : { id, ...query });
  }

  #connect(): void {
    if (this.#backoff !== undefined) return;
    this.#link = new HostLink({
      socketPath: this.#deps.socketPath,
      client: this.#client,
      frameBytesMax: hostReplyFrameBytesMax,
      onWelcome: (at) => {
        this.#at = at;
        this.#lastCause = undefined;
        this.#sendWaiting();
      },
      onUnwelcome: (version) => this.#unwelcome(version),
      onReply: (reply) => this.#replied(reply),
      onDrain: () => this.#sendWaiting(),
      onClosed: (cause) => this.#disconnected(cause),
    });
  }

  /** What was in flight is sent again, in its order, before all others. */
  #disconnected(cause: Error | undefined): void {
    this.#link = undefined;
    this.#lastCause = cause ?? this.#lastCause;
    const unanswered = [...this.#inFlight.values()].filter(({ id }) => this.#calls.has(id));
    this.#waiting = new Set([...unanswered, ...this.#waiting]);
    this.#inFlight.clear();
    const longestMs = Math.min(hostedBackoffMsMax, hostedBackoffMsFirst * 2 ** this.#failedLinks);
    this.#failedLinks += 1;
    const waitMs = longestMs / 2 + this.#deps.random.below(Math.ceil(longestMs / 2));
    this.#backoff = this.#deps.clock.after(waitMs, () => {
      this.#backoff = undefined;
      this.#sendWaiting();
    });
  }

  #unwelcome(version: number): void {
    this.#link = undefined;
    for (const call of this.#calls.values()) {
      this.#fail(call, { message: `the host speaks version ${version}`, retriable: false });
    }
  }

  #replied({ id, at, ...answer }: Reply): void {
    this.#failedLinks = 0;
    this.#at = at;
    this.#inFlight.delete(id);
    const call = this.#calls.get(id);
    // Otherwise its time was over.
    if (call !== undefined) this.#settle(call, answer);
    this.#sendWaiting();
  }

  #settle(call: Call, answer: Answer): void {
    this.#forget(call);
    if (answer.kind !== "forgotten") return call.resolve(answer);
    const message = "whether an earlier try of the transaction was applied is not known any more";
    call.reject(new MetadataError(message, { retriable: true, applied: "maybe" }));
  }

  /** One timer for all: deadlines come in the order of the calls. */
  #watchDeadline(): void {
    if (this.#deadline !== undefined) return;
    const [first] = this.#calls.values();
    if (first === undefined) return;
    const { clock } = this.#deps;
    const leftMs = Math.max(1, first.deadlineMs - clock.monotonicMs());
    this.#deadline = clock.after(leftMs, () => {
      // After a pause of this process, replies that are there are read first.
      this.#deadline = clock.after(0, () => {
        this.#deadline = undefined;
        this.#failOverdue();
        this.#watchDeadline();
      });
    });
  }

  #failOverdue(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const call of this.#calls.values()) {
      if (call.deadlineMs > nowMs) break;
      const message = `the metadata host did not answer within ${this.#limits.callMsMax} ms`;
      this.#fail(call, { message, retriable: true });
    }
    this.#sendWaiting();
  }

  #fail(call: Call, why: { readonly message: string; readonly retriable: boolean }): void {
    this.#forget(call);
    const mayBeApplied = call.query.op === "transact" && call.since !== undefined;
    const details = { retriable: why.retriable, applied: mayBeApplied ? "maybe" : "no" } as const;
    call.reject(new MetadataError(why.message, { ...details, cause: this.#lastCause }));
  }

  #forget(call: Call): void {
    this.#calls.delete(call.id);
    this.#waiting.delete(call);
    this.#callBytes -= call.bytes;
    if (this.#calls.size > 0) return;
    this.#deadline?.cancel();
    this.#deadline = undefined;
  }
}

function randomId(random: Random): string {
  return Buffer.from(random.bytes(16)).toString("hex");
}

function sizeOf(write: WriteBytes): number {
  return write.key.length + (write.kind === "put" ? write.json.length : 0);
}

function pageOf(answer: Answer): Extract<Answer, { readonly kind: "page" }> {
  if (answer.kind === "page") return answer;
  throw unexpected(answer);
}

/** What the host says instead of an outcome. */
function unexpected(answer: Answer): Error {
  if (answer.kind === "failed") {
    const { message, retriable, applied } = answer;
    return new MetadataError(message, { retriable, applied });
  }
  if (answer.kind === "bug") return new AssertionError(answer.message);
  const details = { retriable: false, applied: "maybe" } as const;
  return new MetadataError(`the host answered ${answer.kind} to another question`, details);
}

function refusal(message: string, { retriable }: { readonly retriable: boolean }): MetadataError {
  return new MetadataError(message, { retriable, applied: "no" });
}
