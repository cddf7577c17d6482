import type { MemoryDisk } from "@millrace/adapter-memory";
import { type PartitionLog, ProducerState } from "@millrace/core";
import { testBatch, appendAll } from "../../fixtures/partition-log.ts";
import { Chance } from "../chance.ts";
import { type BuiltLog, buildLog, reopened } from "./built-log.ts";
import { type Damage, damageFiles, filesOf, isTouched } from "./damage.ts";
import { orDamaged, readAll } from "./read-log.ts";

export interface CaseResult {
  readonly faults: readonly string[];
  readonly damages: readonly Damage[];
  /** What became of the log. */
  readonly outcome: string;
}

/** The opening of a log, which a planted mistake may replace. */
export type Reopen = typeof reopened;

/** The leader epoch: not covered by the CRC, and checked by its order alone. */
const [epochFrom, epochTo] = [12, 16];
const appendedTimestamp = 5_000;

/** One log, built, damaged and opened again. */
export async function runLogCase(seed: number, reopen: Reopen = reopened): Promise<CaseResult> {
  const chance = new Chance(seed);
  const built = await buildLog(chance);
  const { disk } = built;
  const before = filesOf(disk);
  const isSegment = (path: string): boolean => path.endsWith(".log");
  const reachesSegments = chance.perThousand(600);
  const paths = disk.paths().filter((path) => reachesSegments || !isSegment(path));
  const damages = damageFiles(disk, paths, chance);
  const segmentsTouched = [...before.keys()].some(
    (path) => isSegment(path) && isTouched(disk, path, before),
  );
  const firstTouched = firstDamage(built, before);
  const opened = orDamaged(() => reopen(built, built.recovery));
  const check = new LogCheck(built, chance.pick([1, 500, 100_000]));
  if (opened === "damaged") {
    if (!segmentsTouched) check.fault("the log does not open, and no segment was touched");
    return { faults: check.faults, damages, outcome: "refused at open" };
  }
  if (segmentsTouched) check.damagedLog(opened, firstTouched);
  else check.wholeLog(opened);
  if (check.faults.length === 0) check.appendAndReopen(opened, reopen);
  return { faults: check.faults, damages, outcome: check.outcome };
}

class LogCheck {
  readonly faults: string[] = [];
  outcome = "whole";
  readonly #built: BuiltLog;
  readonly #maxBytes: number;

  constructor(built: BuiltLog, maxBytes: number) {
    this.#built = built;
    this.#maxBytes = maxBytes;
  }

  fault(what: string): void {
    this.faults.push(what);
  }

  /** Nothing but indexes, snapshots and the epochs' file was touched: nothing may be missing. */
  wholeLog(log: PartitionLog): void {
    const { batches, endOffset, producers } = this.#built;
    const served = readAll(log, this.#maxBytes);
    this.faults.push(...served.faults);
    if (served.end === "damaged") this.fault("a log whose segments are whole is damaged");
    if (log.endOffset !== endOffset) this.fault(`ends at ${log.endOffset}, not at ${endOffset}`);
    this.#expectPrefix(served.batches, batches.length);
    if (log.recovered.cutBytes !== 0) this.fault(`${log.recovered.cutBytes} bytes were cut`);
    const known = ProducerState.restore(producers);
    const found = [sortedHex(log.producers), known === undefined ? "" : sortedHex(known)];
    if (found[0] !== found[1]) this.fault("the producers are not those of the batches");
    this.#expectEpochs(log);
    this.#expectTimestamps(log);
  }

  /**
   * Bytes of segments are others than they were. What lies before them is still served; of what is
   * verified nothing else is. Elsewhere the log may say that it is damaged.
   */
  damagedLog(log: PartitionLog, { index, isTrusted }: Damaged): void {
    const { batches, recoveryPoint } = this.#built;
    const served = readAll(log, this.#maxBytes);
    const intact = index < 0 ? batches.length : index;
    this.outcome = served.end === "damaged" ? "damaged where it is read" : "cut or as it was";
    // In what was synced, a wrong offset is not looked for: a read may lead nowhere, but not on.
    const leadsNowhere = served.faults.every((fault) => !fault.includes("come to its end"));
    if (!isTrusted || !leadsNowhere) this.faults.push(...served.faults);
    if (!this.#expectPrefix(served.batches, intact)) return;
    if (isTrusted) return;
    if (served.end === "damaged") this.fault("damaged bytes were verified and stayed");
    const { length } = served.batches;
    if (length > batches.length) this.fault(`${length} batches are served of ${batches.length}`);
    this.#expectPrefix(served.batches, length);
    const last = batches[length - 1];
    if (log.endOffset !== (last === undefined ? 0 : last.lastOffset + 1)) {
      this.fault(`ends at ${log.endOffset}, after ${length} batches`);
    }
    const { lostBelow } = log.recovered;
    if (log.endOffset < recoveryPoint !== (lostBelow !== undefined)) {
      this.fault(`ends at ${log.endOffset} of ${recoveryPoint} synced, and says ${lostBelow} lost`);
    }
  }

  /** A log that opened takes appends, and has them when it is opened again. */
  appendAndReopen(log: PartitionLog, reopen: Reopen): void {
    const { leaderEpoch } = this.#built;
    const before = readAll(log, this.#maxBytes);
    const timestamps = [appendedTimestamp];
    const next = testBatch({
      ...{ baseOffset: log.endOffset, partitionLeaderEpoch: leaderEpoch + 1, timestamps },
    });
    const isAppended = orDamaged(() => appendAll(log, [next], appendedTimestamp));
    if (isAppended === "damaged" || before.end === "damaged" || before.faults.length > 0) return;
    log.close();
    const again = orDamaged(() => reopen(this.#built, { kind: "clean" }));
    if (again === "damaged") {
      if (this.outcome === "whole") this.fault("it is damaged after an append and a clean close");
      return;
    }
    const after = readAll(again, this.#maxBytes);
    const wanted = Buffer.concat([...before.batches, next.bytes]);
    if (Buffer.compare(Buffer.concat(after.batches), wanted) !== 0) {
      this.fault("what was appended after the recovery is not there after the next start");
    }
    this.faults.push(...after.faults);
    again.close();
  }

  /** Whether the first `count` batches that are served are those of the log, in their order. */
  #expectPrefix(served: readonly Uint8Array[], count: number): boolean {
    for (let at = 0; at < count; at += 1) {
      const [batch, found] = [this.#built.batches[at], served[at]];
      const where = `batch ${at} of offset ${batch?.baseOffset}`;
      if (found === undefined) {
        this.fault(`${where}, which is intact, is not served`);
        return false;
      }
      if (batch === undefined || !isSameBatch(batch.bytes, found)) {
        this.fault(`in place of ${where} other bytes are served`);
        return false;
      }
    }
    return true;
  }

  #expectEpochs(log: PartitionLog): void {
    const { batches, leaderEpoch } = this.#built;
    for (let epoch = 0; epoch <= leaderEpoch; epoch += 1) {
      const higher = batches.find(({ bytes }) => epochOf(bytes) > epoch);
      const wanted =
        higher?.baseOffset ?? (epoch === epochOf(batches.at(-1)?.bytes) ? log.endOffset : -1);
      const { endOffset } = log.endOffsetFor(epoch);
      if (endOffset !== wanted) this.fault(`epoch ${epoch} ends at ${endOffset}, not at ${wanted}`);
    }
  }

  /** Against every batch's own largest timestamp: none that is large enough lies before. */
  #expectTimestamps(log: PartitionLog): void {
    const { batches, endOffset } = this.#built;
    const largest = batches.map(({ bytes }) => Number(new DataView(bytes.buffer).getBigInt64(35)));
    for (const timestamp of [0, ...largest.filter((_, at) => at % 5 === 0), 1e9]) {
      const first = batches[largest.findIndex((most) => most >= timestamp)];
      const found = log.findByTimestamp({ timestamp, upTo: endOffset });
      const isIt =
        first === undefined
          ? found === undefined
          : found !== undefined &&
            found.offset >= first.baseOffset &&
            found.offset <= first.lastOffset;
      if (!isIt)
        this.fault(`time ${timestamp} is found at ${found?.offset}, not in ${first?.baseOffset}`);
    }
  }
}

interface Damaged {
  /** Of the first batch that is not what it was, or that follows such bytes; −1: there is none. */
  readonly index: number;
  /** Whether it lies in what was synced, and so is not looked at when the log is opened. */
  readonly isTrusted: boolean;
}

function firstDamage(built: BuiltLog, before: ReadonlyMap<string, Uint8Array>): Damaged {
  const { batches, disk, end, recoveryPoint } = built;
  const damaged = (index: number, lastOffset: number): Damaged => {
    return { index, isTrusted: end === "closed" || lastOffset < recoveryPoint };
  };
  for (const [index, batch] of batches.entries()) {
    const previous = batches[index - 1];
    // A file that is longer than it was ends in bytes of which no batch is made.
    const isNewFile = previous !== undefined && previous.path !== batch.path;
    if (isNewFile && hasOtherSize(disk, previous.path, before)) {
      return damaged(index, previous.lastOffset);
    }
    if (!isIntact(built, batch)) return damaged(index, batch.lastOffset);
  }
  return damaged(-1, Number.MAX_SAFE_INTEGER);
}

function hasOtherSize(
  disk: MemoryDisk,
  path: string,
  before: ReadonlyMap<string, Uint8Array>,
): boolean {
  return disk.paths().includes(path) && disk.bytesOf(path).length !== before.get(path)?.length;
}

function isIntact(
  { disk }: BuiltLog,
  { bytes, path, position }: BuiltLog["batches"][number],
): boolean {
  if (!disk.paths().includes(path)) return false;
  const now = disk.bytesOf(path).subarray(position, position + bytes.length);
  return Buffer.compare(now, bytes) === 0;
}

function isSameBatch(batch: Uint8Array, found: Uint8Array): boolean {
  if (batch.length !== found.length) return false;
  return batch.every((byte, at) => byte === found[at] || (at >= epochFrom && at < epochTo));
}

function epochOf(batch: Uint8Array | undefined): number {
  return batch === undefined
    ? -1
    : new DataView(batch.buffer, batch.byteOffset).getInt32(epochFrom);
}

/** Producers in any order: who was silent for how long is known again only as far as batches go. */
function sortedHex(producers: ProducerState): string {
  return Buffer.from(producers.snapshot()).toString("hex");
}
