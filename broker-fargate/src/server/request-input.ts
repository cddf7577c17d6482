import type { CloseReason } from "./close-reason.ts";
import { FrameAssembler } from "./frame-assembler.ts";
import type { BufferPool } from "../buffer-pool.ts";
import type { Link } from "./link.ts";
import type { Claimant, RequestMemory } from "./request-memory.ts";

/** What the input asks of its connection. */
export interface InputOwner {
  /** Whether the connection has room for one more request. */
  mayRead(): boolean;
  accept(frame: Uint8Array): void;
  /** Nothing follows what was accepted: the peer is done, or no frame can be made of the rest. */
  inputOver(end: InputEnd): void;
  evicted(): void;
}

export interface InputEnd {
  readonly reason: CloseReason;
  /** What was wrong; absent when the peer ended it. */
  readonly message?: string;
}

/**
 * The reading half of a connection: cuts chunks into frames as long as its owner has room and the
 * process has memory. Otherwise it pauses the link and keeps a copy of the rest of the chunk, at
 * most what one read of the socket gives, until `readOn`.
 */
export class RequestInput implements Claimant {
  private readonly link: Link;
  private readonly memory: RequestMemory;
  private readonly owner: InputOwner;
  private readonly assembler: FrameAssembler;
  private heldBack: Uint8Array | undefined;
  private isOver = false;
  private isEndPending = false;
  private isPaused = false;
  private isReading = false;
  private isWaiting = false;

  constructor(deps: {
    readonly link: Link;
    readonly memory: RequestMemory;
    readonly owner: InputOwner;
    readonly frameBytesMax: () => number;
    readonly buffers: BufferPool;
  }) {
    this.link = deps.link;
    this.memory = deps.memory;
    this.owner = deps.owner;
    this.assembler = new FrameAssembler({
      frameBytesMax: deps.frameBytesMax,
      buffers: deps.buffers,
      take: (bytes) => deps.memory.take(bytes, this),
    });
  }

  get isWaitingForMemory(): boolean {
    return this.isWaiting;
  }

  get underWayBytes(): number {
    return this.assembler.filledBytes;
  }

  receive(chunk: Uint8Array): void {
    if (this.isOver) return;
    // A link may deliver what was on its way when it was paused.
    if (this.heldBack !== undefined) this.heldBack = concatenate(this.heldBack, chunk);
    else this.read(chunk);
  }

  /** The peer sends nothing more. What was held back comes first. */
  end(): void {
    if (this.isOver) return;
    this.isEndPending = true;
    if (this.heldBack === undefined) this.finish({ reason: "clientClosed" });
  }

  /** To be called when the owner may have room again. */
  readOn(): void {
    if (this.isReading || this.isOver || this.isWaiting || !this.owner.mayRead()) return;
    const heldBack = this.heldBack;
    this.heldBack = undefined;
    if (heldBack !== undefined) this.read(heldBack);
    if (this.heldBack !== undefined || this.isOver) return;
    if (this.isEndPending) {
      this.finish({ reason: "clientClosed" });
      return;
    }
    if (!this.isPaused) return;
    this.isPaused = false;
    this.link.resume();
  }

  /** Reads nothing more. What was held back is dropped. */
  stop(): void {
    this.isOver = true;
    this.heldBack = undefined;
    this.pause();
  }

  /** The link is gone: gives back what an incomplete frame holds. */
  release(): void {
    this.isOver = true;
    this.heldBack = undefined;
    this.memory.forget(this);
    this.memory.giveBack(this.assembler.abandon());
  }

  granted(bytes: number): void {
    this.isWaiting = false;
    this.assembler.granted(bytes);
    this.readOn();
  }

  evicted(): void {
    this.owner.evicted();
  }

  private read(chunk: Uint8Array): void {
    this.isReading = true;
    let at = 0;
    while (at < chunk.length && !this.isOver && !this.isWaiting && this.owner.mayRead()) {
      at = this.readFrame(chunk, at);
    }
    this.isReading = false;
    if (at === chunk.length || this.isOver) return;
    this.heldBack = chunk.slice(at);
    this.pause();
  }

  /** Returns how far it came. */
  private readFrame(chunk: Uint8Array, from: number): number {
    const outcome = this.assembler.feed(chunk, from);
    switch (outcome.kind) {
      case "frame":
        this.memory.frameCompleted(this);
        this.owner.accept(outcome.frame);
        break;
      case "incomplete":
        break;
      case "waitingForMemory":
        this.isWaiting = true;
        break;
      case "tooLarge":
        this.finish({ reason: "frameTooLarge", message: `a frame of ${outcome.length} bytes` });
        break;
      case "negative":
        this.finish({ reason: "frameNegative", message: `a frame of ${outcome.length} bytes` });
        break;
    }
    return this.assembler.position;
  }

  private finish(end: InputEnd): void {
    this.stop();
    this.owner.inputOver(end);
  }

  private pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.link.pause();
  }
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
