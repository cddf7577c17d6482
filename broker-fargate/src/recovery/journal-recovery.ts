import type { BatchSummary, IncarnationId, PartitionLog } from "@millrace/core";
import { DiskError, summarizeBatch, viewOf, inLanes } from "@millrace/core";
import { splitBatches } from "@millrace/wire";
import type { JournalEntry } from "@millrace/wire";
import { CheckpointDamagedError } from "../tier/former-checkpoints.ts";
import { journalDirectory } from "../journal/files/journal-files.ts";
import { JournalDamagedError, readJournal } from "../journal/files/journal-reader.ts";
import type { JournalSource } from "../journal/files/journal-reader.ts";
import { UnplacedRecords } from "./unplaced-records.ts";
import type { WireFormat } from "../partition/wire-format.ts";

export interface ReplayDeps {
  readonly wire: WireFormat;
  readonly wallMs: () => number;
  /** Logs held open at a time; past it they are synced and closed. */
  readonly logsMax: number;
  readonly syncsInFlightMax: number;
  /** Opens the log for replay. Undefined is returned for a topic that is gone. */
  readonly openLog: (entry: JournalEntry, trust: LogTrust) => Promise<PartitionLog | undefined>;
  /**
   * Takes the entries from this one on of a partition whose log ends before it, at `endOffset`:
   * synced records are gone. The partition is then offline.
   */
  readonly setAside: (entry: JournalEntry, endOffset: number) => UnplacedRecords;
}

/** What of a log's files a replay takes for true. */
export type LogTrust =
  /** Nothing at or above the offset: the journal has all of it. */
  | { readonly kind: "below"; readonly offset: number }
  /** All of it: this replay has put it there. */
  | { readonly kind: "synced" }
  /**
   * All of it, since the log went on after this journal's last replay; but nothing at or above the
   * offset, if there is one, from which on a later journal tells.
   */
  | { readonly kind: "grown"; readonly below: number | undefined };

/** A journal with what is known of how its logs went on. */
export interface ReplayedSource extends JournalSource {
  /**
   * Set where it was replayed before: then it gives what the logs lack at their ends, and cuts
   * none. By partition, where the later journal begins that was not replayed yet.
   */
  readonly laterCuts?: ReadonlyMap<string, number>;
  /** Partitions for which that was not done. */
  readonly unreplayed: ReadonlySet<string>;
  /** Partitions that an older journal could not be replayed into, with the reason. */
  readonly offline: ReadonlyMap<string, Error>;
}

export interface ReplayReport {
  readonly incarnation: IncarnationId;
  readonly partitions: readonly ReplayedPartition[];
  readonly bytes: number;
  /** Partitions whose log the disk, or the object store, did not give or take: by name. */
  readonly offline: ReadonlyMap<string, OfflinePartition>;
}

/** A partition that did not get what a journal has for it. */
export interface OfflinePartition extends ReplayedPartition {
  readonly cause: Error;
}

export type ReplayedPartition = Pick<JournalEntry, "topicId" | "partition">;

/** Where a partition's replay begins: the first entry that counts, and what its log keeps. */
interface Plan {
  readonly seq: number;
  readonly index: number;
  readonly cutAt: number;
  readonly place: ReplayedPartition;
  /** The log, or the object store, has what lies below: such entries are passed over. */
  skipTo: number;
  begun: boolean;
  /** Why nothing more is done to its log. */
  failure?: Error;
  unplaced?: UnplacedRecords;
}

/**
 * Brings the logs to what a former incarnation's journal says, and makes that durable.
 *
 * Each partition that the journal names keeps its log below the first retained entry, which was
 * synced before the trim passed it; the rest is cut, unread, and the entries are appended again.
 * (So bytes that a power loss mangled above that offset are never looked at.) Entries before a
 * `localFrom` do not count: the log was synced then, and has grown without the journal since.
 *
 * A partition whose log does not reach that offset is put offline with its entries set aside; the
 * others are not held up by it.
 *
 * Nor are they by one whose files can't be read or written, or whose cold parts are of no use: it is
 * offline, and left as it is; what the journal has for it is to be replayed by another start.
 *
 * A journal that was replayed in an earlier life and kept is another matter: the logs have grown
 * since, with later journals that were trimmed or with none, so it cuts nothing.
 *
 * Repeatable: dying anywhere in it and beginning anew comes to the same. Two passes over the files,
 * since a later entry may void earlier ones; memory is bounded by partitions, not by entries.
 * Throws JournalDamagedError where a range does not begin where the one before ended.
 */
export async function replayJournal(
  source: ReplayedSource,
  deps: ReplayDeps,
): Promise<ReplayReport> {
  const plans = planReplay(source);
  for (const [key, plan] of plans) {
    const failure = source.offline.get(key);
    if (failure !== undefined) plan.failure = failure;
  }
  const replay = new Replay(source, plans, deps);
  for (const { object, bytes } of readJournal(source)) {
    for (const [index, entry] of object.entries.entries()) {
      await replay.take(entry, { seq: object.header.seq, index, bytes });
    }
  }
  await replay.finish();
  const partitions = [...plans.values()].map(({ place }) => place);
  const offline = new Map<string, OfflinePartition>();
  for (const [key, { failure: cause, place }] of plans) {
    if (cause !== undefined) offline.set(key, { ...place, cause });
  }
  return { incarnation: source.incarnation, partitions, bytes: replay.bytes, offline };
}

/** By partition, where the journal's entries begin that count. */
export function replayCuts(source: JournalSource): ReadonlyMap<string, number> {
  return new Map([...planReplay(source)].map(([key, { cutAt }]) => [key, cutAt]));
}

function planReplay(source: JournalSource): Map<string, Plan> {
  const plans = new Map<string, Plan>();
  for (const { object } of readJournal(source)) {
    for (const [index, entry] of object.entries.entries()) {
      const key = keyOf(entry);
      if (entry.kind === "localFrom") {
        plans.delete(key);
      } else if (entry.kind === "journalFrom" || !plans.has(key)) {
        const { seq } = object.header;
        const { baseOffset: cutAt, partition, topicId } = entry;
        const place = { topicId, partition };
        plans.set(key, { seq, index, cutAt, place, skipTo: 0, begun: false });
      }
    }
  }
  return plans;
}

class Replay {
  bytes = 0;
  readonly #source: ReplayedSource;
  readonly #plans: Map<string, Plan>;
  readonly #deps: ReplayDeps;
  readonly #logs = new Map<string, PartitionLog | undefined>();

  constructor(source: ReplayedSource, plans: Map<string, Plan>, deps: ReplayDeps) {
    this.#source = source;
    this.#plans = plans;
    this.#deps = deps;
  }

  async take(
    entry: JournalEntry,
    at: { readonly seq: number; readonly index: number; readonly bytes: Uint8Array },
  ): Promise<void> {
    const plan = this.#plans.get(keyOf(entry));
    if (plan === undefined || plan.failure !== undefined || at.seq < plan.seq) return;
    if (at.seq === plan.seq && at.index < plan.index) return;
    try {
      await this.#take(entry, at, plan);
    } catch (error) {
      this.#goesOffline(keyOf(entry), error);
    }
  }

  async #take(
    entry: JournalEntry,
    at: { readonly seq: number; readonly bytes: Uint8Array },
    plan: Plan,
  ): Promise<void> {
    const log = plan.unplaced ?? (await this.#log(entry, plan));
    if (log === undefined) return;
    if (log instanceof UnplacedRecords) {
      if (entry.kind === "records") log.append(recordsOf(entry, at.bytes));
      return;
    }
    if (entry.baseOffset < plan.skipTo) return;
    if (log.endOffset !== entry.baseOffset) {
      const path = journalDirectory(this.#source.incarnation);
      const where = `${entry.topicId}-${entry.partition}`;
      const what = `of ${where} begins at ${entry.baseOffset}, its log ends at ${log.endOffset}`;
      throw new JournalDamagedError(path, `object ${at.seq} ${what}`);
    }
    if (entry.kind !== "records") return;
    const records = recordsOf(entry, at.bytes);
    log.append([records], this.#summaries(records), this.#deps.wallMs());
    this.bytes += entry.length;
  }

  /** Makes everything durable that was taken. */
  async finish(): Promise<void> {
    await this.#closeLogs();
    for (const [key, { unplaced }] of this.#plans) {
      try {
        await unplaced?.finish();
      } catch (error) {
        this.#goesOffline(key, error);
      }
    }
  }

  async #closeLogs(): Promise<void> {
    const logs = [...this.#logs];
    await inLanes(logs, this.#deps.syncsInFlightMax, async ([key, log]) => {
      try {
        // The snapshot and the indexes' ends come first, so that the sync covers their names.
        log?.settle();
        await log?.sync();
        log?.close();
      } catch (error) {
        this.#goesOffline(key, error);
      }
    });
    this.#logs.clear();
  }

  /** Another start cuts the log where this journal begins, and writes it again: nothing is kept. */
  #goesOffline(key: string, cause: unknown): void {
    const plan = this.#plans.get(key);
    if (plan === undefined || !isItsOwn(cause)) throw cause;
    plan.failure = cause;
    try {
      this.#logs.get(key)?.close();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
    this.#logs.delete(key);
  }

  async #log(entry: JournalEntry, plan: Plan): Promise<PartitionLog | UnplacedRecords | undefined> {
    const key = keyOf(entry);
    if (this.#logs.has(key)) return this.#logs.get(key);
    if (this.#logs.size >= this.#deps.logsMax) await this.#closeLogs();
    const log = await this.#deps.openLog(entry, this.#trust(key, plan));
    if (log !== undefined && !plan.begun && log.endOffset < plan.cutAt) {
      plan.unplaced = this.#deps.setAside(entry, log.endOffset);
      log.close();
      return plan.unplaced;
    }
    if (!plan.begun && log !== undefined && log.endOffset > plan.cutAt) plan.skipTo = log.endOffset;
    plan.begun = true;
    this.#logs.set(key, log);
    return log;
  }

  #trust(key: string, plan: Plan): LogTrust {
    if (plan.begun) return { kind: "synced" };
    const { laterCuts, unreplayed } = this.#source;
    const isFirst = laterCuts === undefined || unreplayed.has(key);
    if (isFirst) return { kind: "below", offset: plan.cutAt };
    return { kind: "grown", below: laterCuts.get(key) };
  }

  #summaries(records: Uint8Array): readonly BatchSummary[] {
    const view = viewOf(records);
    const { format } = this.#deps.wire;
    return splitBatches(records).starts.map((at) => summarizeBatch(format, view, at));
  }
}

/** A fault of one partition. A full disk is none: it is all the same for whom there is no room. */
function isItsOwn(cause: unknown): cause is Error {
  if (cause instanceof DiskError) return cause.reason !== "full";
  return cause instanceof CheckpointDamagedError;
}

function recordsOf(entry: JournalEntry, object: Uint8Array): Uint8Array {
  return object.subarray(entry.position, entry.position + entry.length);
}

function keyOf(entry: JournalEntry): string {
  return `${entry.topicId}-${entry.partition}`;
}
