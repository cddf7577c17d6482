import { DiskError, assert } from "@millrace/core";
import type { Clock, Disk, IncarnationId, Random, Timer } from "@millrace/core";
import { JOURNAL_NONCE_BYTES, encodeJournalObject } from "@millrace/wire";
import type { Crc32c, EncodedJournalObject } from "@millrace/wire";
import type { AppendJournal, PendingEntry } from "../append-journal.ts";
import { JournalFiles, align } from "./journal-files.ts";
import { entryBytes, JournalRoom } from "../journal-room.ts";
import type { PartitionLimits } from "../../partition/limits.ts";

export interface JournalOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly crc32c: Crc32c;
  readonly incarnation: IncarnationId;
  readonly limits: PartitionLimits;
  /** Writes the new trim durably, on condition that this incarnation's journal is open. */
  readonly recordTrim: (trim: number) => Promise<void>;
  /** Called once. */
  readonly onFailed: (cause: unknown) => void;
}

interface Group {
  readonly seq: number;
  readonly entries: readonly PendingEntry[];
  readonly object: EncodedJournalObject;
}

/**
 * The journal of this incarnation: group commits over many partitions.
 *
 * An entry goes into the group that collects. The first entry after idle sends its group at the end
 * of the present turn of the event loop; while one fdatasync is in flight the next group collects,
 * so the disk's own latency is the linger. When a group is durable, its entries are told so, in the
 * order in which they were appended; groups are durable strictly in the order of their seqs. A
 * seq's bytes are fixed once (nonce included), also when the write has to be tried again.
 *
 * Promised: `durable` is called only after the entry's fdatasync, with every earlier entry told
 * before. Nothing is lost between: an entry is either told `durable`, or the journal failed.
 *
 * A full disk delays: entries keep their place and are written when there is room again. Any other
 * failure of a write, and every failure of an fdatasync, ends the journal for good: the kernel may
 * have dropped the pages that it could not write, so another fdatasync that succeeds would prove
 * nothing. Whether the process then ends is for `onFailed` to decide; a restart replays.
 */
export class Journal implements AppendJournal {
  readonly #options: JournalOptions;
  readonly #files: JournalFiles;
  #collecting: PendingEntry[] = [];
  #nextSeq = 0;
  /** All objects below it are durable, and their entries were told. */
  #durableSeq = 0;
  #flushing = false;
  #state: "open" | "diskFull" | "failed" | "closed" = "open";
  #retry: { readonly timer: Timer; readonly run: () => void } | undefined;
  readonly #room: JournalRoom;
  readonly #idleListeners: (() => void)[] = [];

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#room = new JournalRoom({
      journalBytesMax: options.limits.journalBytesMax,
      pendingBytesMax: options.limits.journalPendingBytesMax,
    });
    this.#files = new JournalFiles(options);
  }

  get state(): "open" | "diskFull" | "failed" | "closed" {
    return this.#state;
  }

  /** The seq that the next group will have. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** The seq below which everything is durable and told. */
  get durableSeq(): number {
    return this.#durableSeq;
  }

  get trim(): number {
    return this.#room.trim;
  }

  get untrimmedBytes(): number {
    return this.#room.untrimmedBytes;
  }

  get trimDueBytes(): number {
    return this.#options.limits.journalTrimBytes;
  }

  get allocatedBytes(): number {
    return this.#files.allocatedBytes;
  }

  /** Monotonic time at which the oldest untrimmed object became durable. */
  get oldestUntrimmedMs(): number | undefined {
    return this.#room.oldestUntrimmedMs;
  }

  /** Whether an entry of so many bytes may be appended now. */
  hasRoom(bytes: number): boolean {
    return this.#state === "open" && this.#room.hasRoom(bytes);
  }

  /** Calls `listener` whenever there may be more room than before. Returns how to take it back. */
  onRoom(listener: () => void): () => void {
    return this.#room.onRoom(listener);
  }

  /** Takes the entry into the group that collects. The caller asked `hasRoom` in the same turn. */
  append(entry: PendingEntry): void {
    assert(this.#state === "open" || this.#state === "diskFull", "the journal takes entries");
    const bytes = entryBytes(entry);
    this.#collecting.push(entry);
    this.#room.take(bytes);
    if (this.#flushing) return;
    this.#flushing = true;
    // Not at once: what else this turn brings (a request's other partitions) belongs to the group.
    queueMicrotask(() => void this.#flushAll());
  }

  /** Resolves when nothing is pending any more, the disk is full, or the journal failed. */
  idle(): Promise<void> {
    if (!this.#flushing || this.#state !== "open") return Promise.resolve();
    return new Promise((resolve) => this.#idleListeners.push(resolve));
  }

  /**
   * Moves the trim up to `seq`: all below it is durable elsewhere. The new trim is recorded before
   * a file is deleted. Rejects as `recordTrim` does; the old trim then holds.
   */
  async advanceTrim(seq: number): Promise<void> {
    assert(seq <= this.#durableSeq, "only durable objects are trimmed");
    if (seq <= this.#room.trim || this.#state === "failed") return;
    await this.#options.recordTrim(seq);
    if (seq <= this.#room.trim) return;
    this.#room.trimTo(seq);
    try {
      this.#files.deleteBelow(seq);
    } finally {
      this.#room.tell();
    }
  }

  /** It never lets anything wait for more. */
  hurry(): void {}

  /** Gives the files of an idle journal back, when all of it is trimmed. */
  retireFiles(): void {
    if (!this.#flushing && this.#room.trim === this.#nextSeq && this.#state === "open") {
      this.#files.retire();
    }
  }

  /** After it nothing is written; entries that wait for space on the disk fail. */
  close(): void {
    if (this.#state !== "failed") this.#state = "closed";
    this.#retry?.timer.cancel();
    this.#retry?.run();
    this.#files.close();
  }

  async #flushAll(): Promise<void> {
    while (this.#collecting.length > 0) {
      const group = this.#closeGroup();
      try {
        await this.#write(group);
      } catch (error) {
        this.#fail(error, group);
        break;
      }
      await this.#settle(group);
    }
    this.#flushing = false;
    this.#tellIdle();
  }

  /** Takes entries up to the size of an object; an entry that is larger goes alone. */
  #closeGroup(): Group {
    const { clock, crc32c, incarnation, limits, random } = this.#options;
    let count = 0;
    let bytes = 0;
    for (const entry of this.#collecting) {
      bytes += entryBytes(entry);
      if (count > 0 && bytes > limits.journalObjectBytes) break;
      count++;
    }
    const entries =
      count === this.#collecting.length ? this.#collecting : this.#collecting.slice(0, count);
    this.#collecting = count === this.#collecting.length ? [] : this.#collecting.slice(count);
    const nonce = random.bytes(JOURNAL_NONCE_BYTES);
    const seq = this.#nextSeq++;
    const draft = { incarnation, seq, nonce, wallMs: clock.wallMs(), entries };
    return { seq, entries, object: encodeJournalObject(draft, crc32c) };
  }

  async #write(group: Group): Promise<void> {
    for (;;) {
      try {
        this.#files.write(group.seq, group.object);
        break;
      } catch (error) {
        if (!(error instanceof DiskError && error.reason === "full")) throw error;
        await this.#waitForSpace(group);
        if (this.#state === "closed") throw error;
      }
    }
    await this.#files.sync(group.object);
  }

  #waitForSpace(group: Group): Promise<void> {
    if (this.#state === "open") this.#state = "diskFull";
    for (const entry of group.entries) entry.delayed("diskFull");
    for (const entry of this.#collecting) entry.delayed("diskFull");
    this.#tellIdle();
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(this.#options.limits.diskRetryMs, resolve);
      this.#retry = { timer, run: resolve };
    });
  }

  /**
   * Tells the entries, some in each turn of the event loop where that takes long: first appends to
   * a thousand partitions make files for each of them.
   */
  async #settle(group: Group): Promise<void> {
    const { clock, limits } = this.#options;
    const bytes = align(group.object.bytes);
    let turnMs = clock.monotonicMs();
    this.#room.stored({ bytes, atMs: turnMs });
    for (const entry of group.entries) {
      if (clock.monotonicMs() - turnMs > limits.turnMsMax) {
        await new Promise<void>((resolve) => clock.after(0, resolve));
        turnMs = clock.monotonicMs();
      }
      this.#room.settle(entryBytes(entry));
      entry.durable(group.seq);
    }
    this.#durableSeq = group.seq + 1;
    if (this.#state === "diskFull") this.#state = "open";
    this.#room.tell();
  }

  #fail(cause: unknown, group: Group): void {
    const entries = [...group.entries, ...this.#collecting];
    this.#collecting = [];
    this.#state = "failed";
    this.#files.close();
    for (const entry of entries) entry.failed();
    this.#room.tell();
    this.#options.onFailed(cause);
  }

  #tellIdle(): void {
    for (const listener of this.#idleListeners.splice(0)) listener();
  }
}
