import { MemoryDisk, SeededRandom } from "@millrace/adapter-memory";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  appendAll,
  baseOffsetsIn,
  openTestLog,
  smallSegments,
  type TestBatch,
  testBatch,
} from "../../../test/fixtures/partition-log.ts";
import { ProducerState } from "../producer/producer-state.ts";
import type { LogRecovery } from "./log-options.ts";
import type { PartitionLog } from "./partition-log.ts";

/** The log as an array of batches, against which every operation of the real one is compared. */
interface Model {
  batches: TestBatch[];
  startOffset: number;
  endOffset: number;
  /** What a power loss must leave. */
  durableTo: number;
  leaderEpoch: number;
}

interface World {
  readonly disk: MemoryDisk;
  readonly random: SeededRandom;
  readonly model: Model;
  log: PartitionLog;
}

type Step = (world: World) => void | Promise<void>;

const config = { ...smallSegments, segmentBytes: 600, indexIntervalBytes: 150 };

const steps: { readonly [name: string]: Step } = {
  append,
  appendMore: append,
  appendAgain: append,
  read,
  readAgain: read,
  findByTime,
  truncate,
  advanceStart,
  closeAndOpen,
  dieAndOpen,
  losePower,
  sync: async ({ log, model }) => {
    const { endOffset } = model;
    await log.sync();
    model.durableTo = endOffset;
  },
  settle: ({ log }) => log.settle(),
  newEpoch: ({ model }) => {
    model.leaderEpoch += 1;
  },
};

function randomBatch(world: World, baseOffset: number): TestBatch {
  const { random } = world;
  const count = 1 + random.below(4);
  const timestamps = Array.from({ length: count }, () => 1000 + random.below(500));
  const producer = random.below(3);
  return testBatch({
    baseOffset,
    timestamps,
    valueBytes: random.below(random.below(8) === 0 ? 700 : 40),
    partitionLeaderEpoch: world.model.leaderEpoch,
    ...(producer > 0 ? { producerId: producer, producerEpoch: 0, baseSequence: baseOffset } : {}),
  });
}

function append(world: World): void {
  const { model, random, log } = world;
  const batches: TestBatch[] = [];
  let { endOffset } = model;
  for (let i = random.below(4); i >= 0; i--) {
    const batch = randomBatch(world, endOffset);
    endOffset = batch.summary.lastOffset + 1;
    batches.push(batch);
  }
  appendAll(log, batches, random.below(1000));
  model.batches.push(...batches);
  model.endOffset = endOffset;
}

function read({ model, random, log }: World): void {
  const from = random.below(model.endOffset + 3);
  const upTo = random.below(3) > 0 ? model.endOffset : random.below(model.endOffset + 2);
  const maxBytes = random.below(1500);
  const atLeastOneBatch = random.below(2) === 0;
  const found = log.read({ from, maxBytes, upTo, atLeastOneBatch });
  if (from < model.startOffset || from > model.endOffset) {
    expect(found.kind).toBe("outOfRange");
    return;
  }
  if (found.kind !== "ok") throw new Error("in range");
  const readable = model.batches.filter(({ summary }) => {
    return summary.lastOffset >= from && summary.lastOffset < upTo;
  });
  const bytes = found.records.reduce((sum, part) => sum + part.length, 0);
  const offsets = baseOffsetsIn(found.records);
  const expected = readable.slice(0, offsets.length);
  expect(offsets).toEqual(expected.map(({ summary }) => summary.baseOffset));
  expect(Buffer.concat(found.records)).toEqual(Buffer.concat(expected.map((batch) => batch.bytes)));
  expect(found.nextOffset).toBe((expected.at(-1)?.summary.lastOffset ?? from - 1) + 1);
  const first = from < upTo ? readable[0] : undefined;
  const fits = first !== undefined && (atLeastOneBatch || first.bytes.length <= maxBytes);
  expect(offsets.length > 0).toBe(fits);
  if (offsets.length > 1) expect(bytes).toBeLessThanOrEqual(maxBytes);
}

function findByTime({ model, random, log }: World): void {
  const timestamp = 1000 + random.below(520);
  const records = model.batches.flatMap(({ summary, timestamps }) => {
    return timestamps.map((ts, i) => ({ offset: summary.baseOffset + i, timestamp: ts }));
  });
  const readable = records.filter(({ offset }) => offset >= model.startOffset);
  const expected = readable.find((record) => record.timestamp >= timestamp);
  const found = log.findByTimestamp({ timestamp, upTo: model.endOffset });
  expect(found === undefined ? undefined : [found.offset, found.timestamp]).toEqual(
    expected === undefined ? undefined : [expected.offset, expected.timestamp],
  );
  if (model.startOffset > 0) return;
  const largest = Math.max(-1, ...records.map((record) => record.timestamp));
  const latest = records.find((record) => record.timestamp === largest);
  expect(log.maxTimestamp(model.endOffset)?.offset).toBe(latest?.offset);
}

function cutModel(model: Model, offset: number): void {
  if (offset >= model.endOffset) return;
  const removed = model.batches.find(({ summary }) => summary.lastOffset >= offset);
  model.batches = model.batches.filter(({ summary }) => summary.lastOffset < offset);
  // The start may lie inside the first batch.
  model.endOffset = removed?.summary.baseOffset ?? offset;
  model.startOffset = Math.min(model.startOffset, model.endOffset);
  model.durableTo = Math.min(model.durableTo, model.endOffset);
}

async function truncate({ model, random, log }: World): Promise<void> {
  // Rarely far, or nothing ever gets long.
  const offset = Math.max(model.startOffset, model.endOffset - random.below(12));
  log.truncateTo(offset);
  cutModel(model, offset);
  // Until then a loss of power may bring back what was cut.
  await log.sync();
  model.durableTo = model.endOffset;
}

function advanceStart({ model, random, log }: World): void {
  const offset = Math.min(model.endOffset, model.startOffset + random.below(8));
  log.advanceStartOffset(offset);
  model.startOffset = offset;
  model.batches = model.batches.filter(({ summary }) => summary.lastOffset >= offset);
}

function reopen(world: World, recovery: LogRecovery): void {
  const { disk, model } = world;
  world.log = openTestLog(disk, { config, recovery, startOffset: model.startOffset });
}

async function closeAndOpen(world: World): Promise<void> {
  await world.log.sync();
  world.log.close();
  reopen(world, { kind: "clean" });
  expect(world.log.endOffset).toBe(world.model.endOffset);
  expect(world.log.recovered).toMatchObject({ cutBytes: 0, lostBelow: undefined });
  world.model.durableTo = world.model.endOffset;
  expectSameState(world);
}

function dieAndOpen(world: World): void {
  const { recoveryPoint } = world.log;
  world.disk.kill();
  const leaderEpochMax = world.model.leaderEpoch;
  reopen(world, { kind: "verifyFrom", offset: recoveryPoint, leaderEpochMax });
  expect(world.log.endOffset).toBe(world.model.endOffset);
  world.model.durableTo = Math.min(recoveryPoint, world.model.endOffset);
  expectSameState(world);
}

function losePower(world: World): void {
  const { model, log, disk, random } = world;
  const { recoveryPoint } = log;
  expect(recoveryPoint).toBeGreaterThanOrEqual(Math.min(model.durableTo, recoveryPoint));
  disk.crash(random);
  const offset = Math.min(recoveryPoint, model.durableTo);
  reopen(world, { kind: "verifyFrom", offset, leaderEpochMax: model.leaderEpoch });
  const end = world.log.endOffset;
  expect(end).toBeGreaterThanOrEqual(offset);
  expect(end).toBeLessThanOrEqual(model.endOffset);
  model.batches = model.batches.filter(({ summary }) => summary.lastOffset < end);
  // Where all is lost the log begins anew at its start, which the owner has stored.
  const keptEnd = (model.batches.at(-1)?.summary.lastOffset ?? -1) + 1;
  expect(end).toBe(Math.max(keptEnd, model.startOffset));
  model.endOffset = end;
  model.durableTo = offset;
  expectSameState(world);
}

/** Producers and epochs are those of the batches; deleted ones may be forgotten or remembered. */
function expectSameState({ log, model }: World): void {
  const state = ProducerState.empty();
  for (const { summary } of model.batches) state.apply(summary);
  for (const [id, producer] of state.entries()) {
    const last = producer.batches.at(-1);
    expect(log.producers.get(id)?.batches.at(-1)).toEqual(last);
  }
  const lastEpoch = model.batches.at(-1)?.summary.leaderEpoch;
  if (lastEpoch !== undefined) expect(log.latestEpoch).toBe(lastEpoch);
  for (const { summary } of model.batches) {
    const { leaderEpoch } = summary;
    const next = model.batches.find((batch) => batch.summary.leaderEpoch > leaderEpoch);
    const endOffset = next?.summary.baseOffset ?? model.endOffset;
    expect(log.endOffsetFor(leaderEpoch)).toEqual({ epoch: leaderEpoch, endOffset });
  }
}

test("does what an array of batches would, over appends, cuts, restarts and losses of power", async () => {
  const names = Object.keys(steps);
  const run = fc.asyncProperty(
    fc.integer({ min: 0, max: 1_000_000 }),
    fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 60 }),
    async (seed, sequence) => {
      const disk = new MemoryDisk();
      const model = { batches: [], startOffset: 0, endOffset: 0, durableTo: 0, leaderEpoch: 1 };
      const log = openTestLog(disk, { config });
      const world: World = { disk, random: new SeededRandom(seed), model, log };
      for (const name of sequence) {
        await steps[name]?.(world);
        expect(world.log.endOffset).toBe(world.model.endOffset);
        expect(world.log.logStartOffset).toBe(world.model.startOffset);
      }
      const { log: last } = world;
      read(world);
      last.close();
    },
  );
  await fc.assert(run, { numRuns: Number(process.env["MILLRACE_RUNS"] ?? 300) });
});
