import { DiskError, type TopicId } from "@millrace/core";
import { jsCodecs, readRecords, recordLimits, splitBatches } from "@millrace/wire";
import { batchOf, offsetOf, Rig } from "../../../broker-fargate/src/partition/fixtures.ts";
import { JournalDamagedError } from "../../../broker-fargate/src/journal/files/journal-reader.ts";
import type { PartitionOwner } from "../../../broker-fargate/src/partition/owner.ts";
import { Chance } from "../chance.ts";
import { damageFiles, filesOf, isTouched } from "./damage.ts";
import type { CaseResult } from "./log-case.ts";

interface Written {
  readonly name: string;
  readonly topicId: TopicId;
  readonly partition: number;
  /** The values by offset: all of them acknowledged. */
  readonly values: number[];
}

const readsMax = 1_000;
const paddingMax = 1_500;

/** A broker's partitions, some of them journaled: ended, damaged, started again and read. */
export async function runJournalCase(seed: number): Promise<CaseResult> {
  const chance = new Chance(seed);
  const rig = await new Rig({ seed }).start();
  const written = await write(rig, chance);
  if (chance.perThousand(300)) await ended(rig, rig.partitions.close());
  const { disk } = rig;
  const before = filesOf(disk);
  const only = chance.pick(["journal", "partitions", "rebuildable", "all"] as const);
  const isRebuildable = (path: string): boolean => !/\.(log|journal)$/u.test(path);
  const paths = disk.paths().filter((path) => {
    if (only === "rebuildable") return isRebuildable(path);
    return only === "all" || path.startsWith(only);
  });
  const damages = damageFiles(disk, paths, chance);
  const touched = [...before.keys()].filter((path) => isTouched(disk, path, before));
  const isJournalTouched = touched.some((path) => path.startsWith("journal"));
  try {
    await rig.kill();
  } catch (error) {
    const isDeclared = error instanceof JournalDamagedError || error instanceof DiskError;
    if (!isDeclared) throw error;
    const isForAReason = touched.some((path) => !isRebuildable(path));
    const faults = isForAReason ? [] : [`does not start, and lost nothing: ${error.message}`];
    return { faults, damages, outcome: `refused to start: ${error.name}` };
  }
  const faults: string[] = [];
  const outcomes = new Set<string>();
  for (const one of written) {
    const folder = `partitions/${one.topicId}-${one.partition}/`;
    const isMine = (path: string): boolean => path.startsWith(folder) && !isRebuildable(path);
    const may = touched.some(isMine) ? "rot" : isJournalTouched ? "end early" : "lose nothing";
    const { found, outcome } = await readBack(rig, one);
    outcomes.add(outcome);
    faults.push(...faultsOf(one, found, { outcome, may }));
  }
  return { faults, damages, outcome: [...outcomes].sort().join(", ") || "nothing was written" };
}

async function write(rig: Rig, chance: Chance): Promise<readonly Written[]> {
  const written: Written[] = [];
  for (const [name, durability] of [
    ["local", "local"],
    ["journaled", "journal"],
    ["switched", "journal"],
  ] as const) {
    const configs = { "millrace.durability": durability };
    const topicId = await rig.createTopic(name, { partitions: 2, configs });
    for (const partition of [0, 1]) written.push({ name, topicId, partition, values: [] });
  }
  let value = 1;
  for (let left = chance.between(5, 50); left > 0; left -= 1) {
    if (chance.perThousand(30)) {
      await ended(rig, rig.setDurability("switched", chance.pick(["local", "journal"])));
    }
    if (chance.perThousand(100)) await rig.pass(chance.pick([10, 1_000, 6_000]));
    const one = chance.pick(written);
    const values = Array.from({ length: chance.between(1, 3) }, (_, at) => value + at);
    value += values.length;
    const owner = await ended(rig, rig.partitions.open(one.topicId, one.partition));
    const records = batchOf(values, { padding: chance.skewed(paddingMax) });
    const result = await ended(rig, owner.append({ records, waitFor: "durable" }));
    if (offsetOf(result) !== one.values.length) throw new Error("appended at another offset");
    one.values.push(...values);
  }
  return written;
}

/** Lets time pass until the promise settles. */
async function ended<Result>(rig: Rig, work: Promise<Result>): Promise<Result> {
  const state = { isSettled: false };
  const settle = (): void => {
    state.isSettled = true;
  };
  work.then(settle, settle);
  for (let rounds = 0; !state.isSettled; rounds += 1) {
    if (rounds > 1_000) throw new Error("does not come to its end");
    await rig.pass(5);
  }
  return work;
}

interface ReadBack {
  readonly found: readonly { readonly offset: number; readonly value: number }[];
  readonly outcome: "read" | "offline" | "damaged where it is read";
}

async function readBack(rig: Rig, { partition, topicId }: Written): Promise<ReadBack> {
  let owner: PartitionOwner;
  try {
    owner = await ended(rig, rig.partitions.open(topicId, partition));
  } catch (error) {
    if (error instanceof DiskError) return { found: [], outcome: "offline" };
    throw error;
  }
  const found: { offset: number; value: number }[] = [];
  let from = owner.logStartOffset;
  for (let reads = 0; from < owner.highWatermark; reads += 1) {
    if (reads > readsMax) throw new Error("reading does not come to its end");
    const range = { from, maxBytes: 1 << 20, atLeastOneBatch: true } as const;
    const read = owner.read({ ...range, isolation: "uncommitted" });
    if (read.kind !== "ok") return { found, outcome: "damaged where it is read" };
    const here = read.records.flatMap((run) => recordsIn(run));
    if (here.length === 0) return { found, outcome: "damaged where it is read" };
    found.push(...here);
    const next = (here.at(-1)?.offset ?? from) + 1;
    if (next <= from) return { found, outcome: "damaged where it is read" };
    from = next;
  }
  return { found, outcome: "read" };
}

/** A batch that its reader can't open, as a consumer would find it, counts as value −1. */
function recordsIn(
  run: Uint8Array,
): readonly { readonly offset: number; readonly value: number }[] {
  const rules = { codecs: jsCodecs, ...recordLimits };
  return splitBatches(run).starts.flatMap((at) => {
    const batch = readRecords(run, at, rules);
    if (batch.kind === "fault") return [];
    return batch.records.map(({ offset, value }) => ({
      offset,
      value:
        value === null || value.length < 4
          ? -1
          : new DataView(value.buffer, value.byteOffset).getUint32(0),
    }));
  });
}

/**
 * What was damaged says what may be gone: bytes of its own segments that were synced are not looked
 * at again, as its clients do by the CRC; without its journal a log may end early, but with nothing
 * wrong before; and otherwise nothing is missing.
 */
function faultsOf(
  { name, partition, values }: Written,
  found: ReadBack["found"],
  how: {
    readonly outcome: ReadBack["outcome"];
    readonly may: "rot" | "end early" | "lose nothing";
  },
): readonly string[] {
  const where = `${name}-${partition}`;
  if (how.may === "rot") return [];
  const wrong = found.find(({ offset, value }, at) => offset !== at || value !== values[at]);
  if (wrong !== undefined) return [`${where} has ${wrong.value} at ${wrong.offset}`];
  if (how.may === "end early") return [];
  if (how.outcome !== "read") return [`${where} is ${how.outcome}, and its files are whole`];
  if (found.length === values.length) return [];
  return [`${where} has ${found.length} records of ${values.length} that were acknowledged`];
}
