import { assert, ObjectError } from "@millrace/core";
import type { Clock, IncarnationId, Random, Timer } from "@millrace/core";
import { JOURNAL_NONCE_BYTES, encodeJournalObject } from "@millrace/wire";
import type { Crc32c } from "@millrace/wire";
import { FencedError } from "../../cluster/slot-claims.ts";
import type { AppendJournal, PendingEntry } from "../append-journal.ts";
import { entryBytes, JournalRoom } from "../journal-room.ts";
import type { ObjectAccess } from "../../tier/object-access.ts";
import { type Flight, Flights } from "./flights.ts";
import { journalKey } from "./journal-keys.ts";
import type { JournalLimits } from "../limits.ts";
import { TrimmedObjects } from "./trimmed-objects.ts";

export interface ObjectJournalOptions {
  readonly objects: ObjectAccess;
  readonly clock: Clock;
  readonly random: Random;
  readonly crc32c: Crc32c;
  readonly cluster: string;
  /** New: no object of its journal was ever put. */
  readonly incarnation: IncarnationId;
  readonly limits: JournalLimits;
  /**
   * Writes the new trim durably, on condition that this incarnation's journal is open. Rejects with
   * FencedError when it is not.
   */
  readonly recordTrim: (trim: number) => Promise<void>;
  /** Called once: another process ended this incarnation. */
  readonly onOver: (cause: unknown) => void;
  /** Something that an operator should know and the journal lives on with. */
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * The journal of this incarnation as objects of the object store (ownership rules 1 to 4).
 *
 * An entry goes into the group that collects. A group closes at the end of the present turn of the
 * event loop when no put began for the linger time, else when that time is over or the group is
 * large enough; without entries nothing is put. For a while after slots came from another broker that
 * time is short. Closing fixes the object's seq, bytes and nonce for good. Several objects are on
 * their way at once; entries are told `durable` in the order of seqs.
 *
 * A put that fails, or whose outcome nobody knows, is tried again with the same bytes for as long
 * as the journal is open: a store that is away loses nothing, it only delays; then there is no
 * room any more, and who waits is told. When the store shows the object with its own nonce, it is
 * durable, whichever try did it.
 *
 * States: open → over (a fence or foreign bytes were found at one of its seqs, or its object was
 * gone when the store said that it exists; the trim was refused; or `end` was called): all that was
 * not told fails, its outcome unknown, and nothing is put any more. open → closed: by its owner.
 */
export class ObjectJournal implements AppendJournal {
  readonly #options: ObjectJournalOptions;
  readonly #trimmed: TrimmedObjects;
  readonly #flights = new Flights();
  #collecting: PendingEntry[] = [];
  #collectingBytes = 0;
  #nextSeq = 0;
  /** All objects below it are durable, and their entries were told. */
  #durableSeq = 0;
  /** After the last object of which an entry was told durable. */
  #toldEnd = 0;
  #state: "open" | "over" | "closed" = "open";
  /** When the last put of a new object began. */
  #lastLaunchMs = Number.NEGATIVE_INFINITY;
  #linger: Timer | undefined;
  #lingersUntilMs = Number.POSITIVE_INFINITY;
  #briskUntilMs = Number.NEGATIVE_INFINITY;
  #watch: Timer | undefined;
  #isLaunchDue = false;
  #isTelling = false;
  #isDelayed = false;
  #trimming: Promise<void> = Promise.resolve();
  readonly #room: JournalRoom;
  readonly #idleListeners: (() => void)[] = [];

  constructor(options: ObjectJournalOptions) {
    this.#options = options;
    this.#room = new JournalRoom(options.limits);
    this.#trimmed = new TrimmedObjects(options);
  }

  get state(): "open" | "over" | "closed" {
    return this.#state;
  }

  get nextSeq(): number {
    return this.#nextSeq;
  }

  get durableSeq(): number {
    return this.#durableSeq;
  }

  /** No entry of this seq, or of a later one, was told durable: a closed journal may end here. */
  get toldEnd(): number {
    return this.#toldEnd;
  }

  get trim(): number {
    return this.#room.trim;
  }

  get untrimmedBytes(): number {
    return this.#room.untrimmedBytes;
  }

  get trimDueBytes(): number {
    return this.#options.limits.trimDueBytes;
  }

  /** Bytes of entries that are not told durable yet. */
  get pendingBytes(): number {
    return this.#room.pendingBytes;
  }

  /** It has no files. */
  readonly allocatedBytes = 0;

  get oldestUntrimmedMs(): number | undefined {
    return this.#room.oldestUntrimmedMs;
  }

  hasRoom(bytes: number): boolean {
    return this.#state === "open" && this.#room.hasRoom(bytes);
  }

  onRoom(listener: () => void): () => void {
    return this.#room.onRoom(listener);
  }

  append(entry: PendingEntry): void {
    assert(this.#state === "open", "the journal takes entries");
    const bytes = entryBytes(entry);
    this.#collecting.push(entry);
    this.#collectingBytes += bytes;
    this.#room.take(bytes);
    if (this.#isLaunchDue) return;
    this.#isLaunchDue = true;
    // Not at once: what else this turn brings (a request's other partitions) belongs to the group.
    queueMicrotask(() => {
      this.#isLaunchDue = false;
      this.#launchDue();
    });
  }

  idle(): Promise<void> {
    if (this.#isIdle || this.#isDelayed) return Promise.resolve();
    return new Promise((resolve) => this.#idleListeners.push(resolve));
  }

  /**
   * Rejects as `recordTrim` does; the old trim then holds. A trim that is refused because the
   * journal is not open any more ends it instead. Calls at once are recorded one after another.
   */
  advanceTrim(seq: number): Promise<void> {
    assert(seq <= this.#durableSeq, "only durable objects are trimmed");
    const moved = this.#trimming.then(() => this.#moveTrim(seq));
    // Who called is told; the next call does not depend on it.
    this.#trimming = moved.catch(() => undefined);
    return moved;
  }

  /** There are none. */
  retireFiles(): void {}

  hurry(): void {
    this.#lastLaunchMs = Number.NEGATIVE_INFINITY;
    this.#launchDue();
  }

  /** From now on, and for a while, groups close sooner: what comes first has waited elsewhere. */
  quicken(): void {
    const { clock, limits } = this.#options;
    this.#briskUntilMs = clock.monotonicMs() + limits.briskMs;
    this.#launchDue();
  }

  /** Resolves when no object below the trim is left, or this process deletes no more. */
  trimmed(): Promise<void> {
    return this.#trimmed.idle();
  }

  /** Somebody else found that this incarnation is over: a conditional write of its was refused. */
  end(cause: unknown): void {
    if (this.#state !== "open") return;
    this.#state = "over";
    this.#stop();
    this.#options.onOver(cause);
  }

  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closed";
    this.#stop();
  }

  get #isIdle(): boolean {
    return this.#state !== "open" || (this.#collecting.length === 0 && this.#flights.length === 0);
  }

  #stop(): void {
    this.#linger?.cancel();
    this.#watch?.cancel();
    this.#trimmed.stop();
    const untold = [...this.#flights.untold(), ...this.#collecting];
    this.#flights.clear();
    this.#collecting = [];
    this.#collectingBytes = 0;
    this.#room.drop();
    for (const entry of untold) entry.failed();
    this.#tellIdle();
    this.#room.tell();
  }

  /** Closes and sends every group that is due, and sees to it that the next one will be. */
  #launchDue(): void {
    const { clock, limits } = this.#options;
    while (this.#state === "open" && this.#collecting.length > 0) {
      if (this.#flights.length >= limits.putsInFlightMax) return;
      const dueMs = this.#lastLaunchMs + this.#lingerMs;
      if (dueMs > clock.monotonicMs() && this.#collectingBytes < limits.objectBytes) {
        this.#lingerUntil(dueMs);
        return;
      }
      this.#endLinger();
      const flight = this.#closeGroup();
      this.#lastLaunchMs = flight.startedMs;
      this.#flights.add(flight);
      if (this.#flights.length === 1) this.#watchOldest();
      void this.#send(flight);
    }
  }

  /** A store that is slow for as many puts gets no more of them. */
  get #lingerMs(): number {
    const { clock, limits } = this.#options;
    const isBrisk = clock.monotonicMs() < this.#briskUntilMs;
    const hasRoom = 2 * this.#flights.length < limits.putsInFlightMax;
    return isBrisk && hasRoom ? limits.briskLingerMs : limits.lingerMs;
  }

  #lingerUntil(dueMs: number): void {
    if (this.#linger !== undefined && this.#lingersUntilMs <= dueMs) return;
    this.#endLinger();
    const { clock } = this.#options;
    this.#lingersUntilMs = dueMs;
    this.#linger = clock.after(dueMs - clock.monotonicMs(), () => {
      this.#linger = undefined;
      this.#launchDue();
    });
  }

  #endLinger(): void {
    this.#linger?.cancel();
    this.#linger = undefined;
  }

  /** Takes entries up to the one that reaches the size of an object. */
  #closeGroup(): Flight {
    const { clock, crc32c, incarnation, limits, random } = this.#options;
    let count = 0;
    let bytes = 0;
    for (const entry of this.#collecting) {
      bytes += entryBytes(entry);
      count++;
      if (bytes >= limits.objectBytes) break;
    }
    const entries = this.#collecting.splice(0, count);
    this.#collectingBytes -= bytes;
    const nonce = random.bytes(JOURNAL_NONCE_BYTES);
    const seq = this.#nextSeq++;
    const draft = { incarnation, seq, nonce, wallMs: clock.wallMs(), entries };
    const object = encodeJournalObject(draft, crc32c);
    return { seq, entries, object, startedMs: clock.monotonicMs(), told: 0 };
  }

  /** Until the store has told whose object is there, or nothing is to be put any more. */
  async #send(flight: Flight): Promise<void> {
    const { cluster, incarnation, objects, warn } = this.#options;
    const key = journalKey(cluster, incarnation, flight.seq);
    const isWanted = (): boolean => this.#state === "open";
    while (isWanted()) {
      try {
        const outcome = await objects.put(key, flight.object.parts, {
          proof: "firstPart",
          isWanted,
        });
        if (outcome === "stored") this.#landed(flight);
        else this.end(new FencedError(`another process ended the journal at ${key}`));
        return;
      } catch (error) {
        if (!(error instanceof ObjectError)) throw error;
        if (isWanted()) warn("the journal could not be written; it is tried again", error);
        await this.#pause();
      }
    }
  }

  /** Between half and the whole of the time, so that objects in flight do not meet again. */
  #pause(): Promise<void> {
    const { clock, limits, random } = this.#options;
    const waitMs = limits.putPauseMs / 2 + random.below(limits.putPauseMs / 2);
    return new Promise((resolve) => clock.after(waitMs, resolve));
  }

  #landed(flight: Flight): void {
    this.#flights.landed(flight);
    if (!this.#isTelling) void this.#tellAll();
  }

  async #tellAll(): Promise<void> {
    // Unset in the turn that finds nothing more: what lands after it begins anew.
    this.#isTelling = true;
    let flight = this.#flights.nextToTell();
    while (flight !== undefined) {
      await this.#tell(flight);
      if (this.#state !== "open") return;
      this.#settle(flight);
      flight = this.#flights.nextToTell();
    }
    this.#isTelling = false;
  }

  /**
   * Tells the entries, some in each turn of the event loop where that takes long: first appends to
   * a thousand partitions make files for each of them.
   */
  async #tell(flight: Flight): Promise<void> {
    const { clock, limits } = this.#options;
    const { bytes } = flight.object;
    let turnMs = clock.monotonicMs();
    this.#room.stored({ bytes, atMs: turnMs });
    for (const entry of flight.entries) {
      if (clock.monotonicMs() - turnMs > limits.turnMsMax) {
        await new Promise<void>((resolve) => clock.after(0, resolve));
        turnMs = clock.monotonicMs();
      }
      if (this.#state !== "open") return;
      flight.told++;
      this.#toldEnd = flight.seq + 1;
      this.#room.settle(entryBytes(entry));
      entry.durable(flight.seq);
    }
  }

  #settle(flight: Flight): void {
    this.#flights.told(flight);
    this.#durableSeq = flight.seq + 1;
    this.#watchOldest();
    this.#launchDue();
    if (this.#isIdle) this.#tellIdle();
    this.#room.tell();
  }

  /** Tells who waits when the oldest object in flight takes long, and again while it does. */
  #watchOldest(): void {
    const { clock, limits } = this.#options;
    this.#watch?.cancel();
    this.#isDelayed = false;
    const { oldest } = this.#flights;
    if (oldest === undefined) return;
    const delayMs = oldest.startedMs + limits.delayedMs - clock.monotonicMs();
    this.#watch = clock.after(Math.max(0, delayMs), () => this.#tellDelayed());
  }

  #tellDelayed(): void {
    const { clock, limits } = this.#options;
    this.#isDelayed = true;
    this.#watch = clock.after(limits.delayedMs, () => this.#tellDelayed());
    for (const entry of [...this.#flights.untold(), ...this.#collecting]) entry.delayed("timedOut");
    this.#tellIdle();
  }

  async #moveTrim(seq: number): Promise<void> {
    if (seq <= this.#room.trim || this.#state !== "open") return;
    try {
      await this.#options.recordTrim(seq);
    } catch (error) {
      if (!(error instanceof FencedError)) throw error;
      this.end(error);
      return;
    }
    this.#room.trimTo(seq);
    if (this.#state === "open") this.#trimmed.raise(seq);
    this.#room.tell();
  }

  #tellIdle(): void {
    for (const listener of this.#idleListeners.splice(0)) listener();
  }
}
