import { type Clock, DiskError, MetadataError, type Timer } from "@millrace/core";
import type { AdvertisedListener } from "../handlers/handler.ts";
import {
  bytesInFlightPerConnectionMax,
  closeGraceMsMax,
  requestsInFlightPerConnectionMax,
} from "../limits.ts";
import { CloseConnection, type CloseReason } from "./close-reason.ts";
import { connectionContext, type OwnedContext } from "./connection-context.ts";
import type { Answer, Dispatcher, Prepared, Reply } from "./dispatcher.ts";
import type { BufferPool } from "../buffer-pool.ts";
import type { Link, LinkListener } from "./link.ts";
import type { ServerLog } from "./log.ts";
import type { Debtor, OutputBacklog } from "./output-backlog.ts";
import { type InputEnd, type InputOwner, RequestInput } from "./request-input.ts";
import { IdleWatch } from "./idle-watch.ts";
import { ReplyInMaking } from "./reply-memory.ts";
import type { RequestMemory } from "./request-memory.ts";
import {
  mayFollow,
  opensConnection,
  type Outcome,
  type QueuedRequest,
  type QueueItem,
  type RequestInFlight,
} from "./requests.ts";
import type { SaslHost, SaslSession } from "./sasl/sasl-session.ts";
import type { ServerMetrics } from "./server-metrics.ts";
import { TurnShare } from "./turn-share.ts";

/** What all connections of a listener share. */
export interface ConnectionDeps {
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly log: ServerLog;
  readonly metrics: ServerMetrics;
  readonly memory: RequestMemory;
  readonly backlog: OutputBacklog;
  readonly buffers: BufferPool;
  /** `socket.request.max.bytes`. */
  readonly frameBytesMax: number;
  /** `connections.max.idle.ms`; above 2^31 - 1 for never. */
  readonly idleMsMax: number;
}

export interface Peer {
  /** Unique in this process. */
  readonly id: string;
  readonly clientHost: string;
  readonly listener: AdvertisedListener;
  readonly link: Link;
  /** Who the client is by its certificate. */
  readonly principal?: string;
  /** Absent: the listener's clients do not authenticate by SASL. */
  readonly sasl?: SaslSession;
}

/**
 * The Kafka protocol on one link: frames in, replies out in the order of their requests.
 *
 * Order: as in Kafka, a request is started when all before it are answered; Produce alone also when
 * only Produce is unanswered, so that a durable store's latency does not limit throughput. Handlers
 * decide in the order of the requests, because each is called after the one before has returned.
 *
 * Memory: complete requests that are not answered are bounded by `requestsInFlightPerConnectionMax`
 * and by `bytesInFlightPerConnectionMax` and one frame; the frame under way by what was received of
 * it, times four; all connections together by `RequestMemory`. Then the link is paused. When the
 * link is full, nothing more is read or started until it has drained, so a peer that does not read
 * costs the watermark, one reply, and what Produce has still to say. `OutputBacklog` bounds the
 * sum over all peers.
 *
 * Ends: what cannot be understood, and a failure of a handler, end the connection after the replies
 * to the requests before it, with one line in the log, and are counted by reason. Nothing is thrown
 * to the caller. Idle means: for `idleMsMax` no request was completed, no reply written or sent,
 * and none is being worked on. So whoever trickles bytes is closed too, and until then costs
 * little more than it sent.
 */
export class Connection implements LinkListener, InputOwner, Debtor, SaslHost {
  private readonly deps: ConnectionDeps;
  private readonly peer: Peer;
  private readonly owned: OwnedContext;
  readonly input: RequestInput;
  private readonly share: TurnShare;
  private readonly reply: ReplyInMaking;
  private state: "open" | "ending" | "closing" | "closed" = "open";
  private endReason: CloseReason | undefined;
  /** Read and not started. The end of the input takes its place behind the last request. */
  private readonly queue: QueueItem[] = [];
  /** Started and not written, in order. */
  private readonly inFlight: RequestInFlight[] = [];
  /** Bytes of the requests in `queue`, and of those in `inFlight` without an answer. */
  private heldBytes = 0;
  private isPumping = false;
  private isOutputFull = false;
  /** The peer read all replies so far, and there was one. */
  keepsUp = false;
  private readonly idle: IdleWatch;
  private graceTimer: Timer | undefined;

  constructor(deps: ConnectionDeps, peer: Peer) {
    this.deps = deps;
    this.peer = peer;
    this.owned = connectionContext(peer);
    this.input = new RequestInput({
      link: peer.link,
      memory: deps.memory,
      owner: this,
      frameBytesMax: () => Math.min(deps.frameBytesMax, peer.sasl?.frameBytesMax ?? Infinity),
      buffers: deps.buffers,
    });
    this.share = new TurnShare(deps.clock, () => this.mayStart());
    this.reply = new ReplyInMaking(deps.backlog, this);
    this.idle = new IdleWatch(deps.clock, {
      msMax: deps.idleMsMax,
      isOurTurn: () => this.isOurTurn(),
      idle: () => this.closeNow("idle"),
    });
    peer.sasl?.attach(this);
  }

  /** Ends it when the requests in flight are answered; those not started are dropped. */
  shutdown(): void {
    if (this.state !== "open") return;
    this.end("shutdown");
  }

  /** Ends it at once. */
  abort(reason: CloseReason, message?: string): void {
    this.closeNow(reason, message);
  }

  // The link's side.

  receive(chunk: Uint8Array): void {
    this.deps.metrics.bytesIn.add(chunk.length);
    this.share.begin();
    this.input.receive(chunk);
  }

  inputEnded(): void {
    this.input.end();
  }

  drained(): void {
    this.isOutputFull = false;
    this.idle.note();
    this.deps.backlog.owe(this, 0);
    this.pump();
    this.input.readOn();
  }

  closed(error: Error | undefined): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.idle.stop();
    this.peer.sasl?.detach();
    this.graceTimer?.cancel();
    this.dropQueue();
    this.input.release();
    this.deps.backlog.forget(this);
    this.reply.close();
    const reason = this.endReason ?? (error === undefined ? "clientClosed" : "clientReset");
    this.deps.metrics.connectionsClosed[reason].add();
    const failed = "a listener of a closed connection failed";
    this.owned.close((err) => this.deps.log.error(this.logFields({ err }), failed));
  }

  mayRead(): boolean {
    const requestsMax = this.peer.sasl?.requestsMax ?? requestsInFlightPerConnectionMax;
    return (
      !this.isOutputFull &&
      this.queue.length + this.inFlight.length < requestsMax &&
      this.heldBytes < bytesInFlightPerConnectionMax
    );
  }

  accept(frame: Uint8Array): void {
    this.heldBytes += frame.length;
    this.queue.push({ kind: "request", frame, receivedMs: this.idle.note() });
    this.pump();
  }

  inputOver(end: InputEnd): void {
    this.owned.end();
    this.queue.push({ kind: "end", ...end });
    this.pump();
  }

  evicted(): void {
    this.closeNow("slowFrame", "a request arrived too slowly while memory was short");
  }

  unsentBytes(): number {
    return this.peer.link.unsentBytes();
  }

  mayStart(): void {
    this.pump();
    this.input.readOn();
  }

  stalled(): void {
    this.closeNow("slowReader", "replies were read too slowly while others waited");
  }

  /** Handlers that answer at once come back here; the flag turns that into another round. */
  private pump(): void {
    if (this.isPumping) return;
    this.isPumping = true;
    for (let item = this.queue[0]; item !== undefined; item = this.queue[0]) {
      if (!this.mayStartNext(item)) break;
      this.queue.shift();
      if (item.kind === "request") this.start(item);
      else this.end(item.reason, item.message);
    }
    this.isPumping = false;
  }

  private mayStartNext(item: QueueItem): boolean {
    if (this.state !== "open") return false;
    if (item.kind === "end") return true;
    if (this.isOutputFull || !this.share.isLeft) return false;
    const first = this.inFlight[0];
    if (first !== undefined && !mayFollow(first, item.frame)) return false;
    const isOpening = opensConnection(item.frame) && this.unsentBytes() === 0;
    return isOpening || this.deps.backlog.admits(this);
  }

  private start({ frame, receivedMs }: QueuedRequest): void {
    const prepared = this.prepare(frame);
    if (prepared?.kind !== "call") {
      this.giveBack(frame.length);
      if (prepared !== undefined) this.end(prepared.reason, prepared.message);
      return;
    }
    const { apiKey, call } = prepared;
    this.share.take();
    const slot: RequestInFlight = { apiKey, bytes: frame.length, receivedMs, outcome: undefined };
    this.inFlight.push(slot);
    this.deps.metrics.requestsInFlight.add(1);
    let answer: Answer;
    try {
      answer = call();
    } catch (error) {
      this.fail(slot, error);
      return;
    }
    if (!(answer instanceof Promise)) {
      this.settle(slot, { reply: answer });
      return;
    }
    answer.then(
      (reply) => this.settle(slot, { reply }),
      (error: unknown) => this.fail(slot, error),
    );
  }

  /** `undefined` when the decoder itself failed, which ends the connection here. */
  private prepare(frame: Uint8Array): Prepared | undefined {
    const { buffers, dispatcher } = this.deps;
    const { sasl } = this.peer;
    const origin = {
      connection: this.owned.context,
      frameIsFree: () => buffers.giveBack(frame),
      replyMemory: this.reply,
    };
    try {
      return sasl?.prepare(frame, origin, dispatcher) ?? dispatcher.prepare(frame, origin);
    } catch (error) {
      this.deps.log.error(this.logFields({ err: error }), "decoding a request failed");
      this.end("handlerFailed");
      return undefined;
    }
  }

  private settle(slot: RequestInFlight, outcome: Outcome): void {
    slot.outcome = outcome;
    this.deps.metrics.requestsInFlight.add(-1);
    this.giveBack(slot.bytes);
    this.flush();
    this.pump();
    this.input.readOn();
  }

  private fail(slot: RequestInFlight, error: unknown): void {
    const api = this.deps.metrics.api(slot.apiKey);
    api.failures.add();
    const fields = this.logFields({ err: error, apiKey: slot.apiKey });
    if (error instanceof CloseConnection) {
      this.deps.log.info(fields, `closing the connection: ${error.message}`);
      this.settle(slot, { failed: error.reason });
      return;
    }
    const isOperational = error instanceof DiskError || error instanceof MetadataError;
    const level = isOperational ? "warn" : "error";
    this.deps.log[level](fields, "closing the connection: its request failed");
    this.settle(slot, { failed: "handlerFailed" });
  }

  /** Writes what is next in order, as far as it is there. */
  private flush(): void {
    if (this.state === "closing" || this.state === "closed") return;
    for (let slot = this.inFlight[0]; slot?.outcome !== undefined; slot = this.inFlight[0]) {
      if ("failed" in slot.outcome) {
        // Those behind it can't be answered any more: the client would take them for this one's.
        this.inFlight.length = 0;
        this.end(slot.outcome.failed);
        break;
      }
      this.inFlight.shift();
      this.writeReply(slot, slot.outcome.reply);
    }
    if (this.state === "ending" && this.inFlight.length === 0) this.closeLink();
  }

  private writeReply(slot: RequestInFlight, reply: Reply | undefined): void {
    const { metrics, backlog } = this.deps;
    const nowMs = this.idle.note();
    const api = metrics.api(slot.apiKey);
    api.requests.add();
    api.requestBytes.add(slot.bytes);
    api.seconds.observe((nowMs - slot.receivedMs) / 1000);
    if (reply === undefined) return;
    const { frame, sent } = reply;
    api.responseBytes.add(frame.byteLength);
    metrics.bytesOut.add(frame.byteLength);
    this.keepsUp = this.peer.link.write(frame.pieces, sent) === "ok";
    if (!this.keepsUp) {
      this.isOutputFull = true;
      backlog.owe(this, this.peer.link.unsentBytes());
    }
    this.reply.drop();
  }

  private giveBack(bytes: number): void {
    this.heldBytes -= bytes;
    this.deps.memory.giveBack(bytes);
  }

  /** Starts nothing more; closes when the requests in flight are answered. */
  end(reason: CloseReason, message?: string): void {
    if (this.state === "closing" || this.state === "closed") return;
    if (this.state === "open") {
      this.state = "ending";
      this.noteEnd(reason, message);
      this.input.stop();
      this.dropQueue();
    }
    if (this.inFlight.length === 0) this.closeLink();
  }

  private closeLink(): void {
    this.state = "closing";
    this.peer.link.close("written");
    this.awaitLastBytes();
  }

  /** A peer that takes nothing of its last replies for `closeGraceMsMax` does not get the rest. */
  private awaitLastBytes(): void {
    const unsentBytes = this.peer.link.unsentBytes();
    this.graceTimer = this.deps.clock.after(closeGraceMsMax, () => {
      if (this.peer.link.unsentBytes() < unsentBytes) this.awaitLastBytes();
      else this.peer.link.close("now");
    });
  }

  private closeNow(reason: CloseReason, message?: string): void {
    if (this.state === "closed") return;
    this.noteEnd(reason, message);
    this.state = "closing";
    this.input.stop();
    this.dropQueue();
    this.peer.link.close("now");
  }

  private noteEnd(reason: CloseReason, message: string | undefined): void {
    if (this.endReason !== undefined) return;
    this.endReason = reason;
    if (message === undefined) return;
    this.deps.log.warn(this.logFields({ reason }), `closing the connection: ${message}`);
  }

  private dropQueue(): void {
    for (const item of this.queue) {
      if (item.kind === "request") this.giveBack(item.frame.length);
    }
    this.queue.length = 0;
  }

  private isOurTurn(): boolean {
    const isBusy = this.inFlight.length > 0 || this.queue.length > 0;
    return (isBusy || this.input.isWaitingForMemory) && !this.isOutputFull;
  }

  private logFields(fields: object): object {
    const { clientHost, id, principal } = this.owned.context;
    return { connection: id, client: clientHost, principal, ...fields };
  }
}
