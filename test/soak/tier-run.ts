/** A soak with tiers: see run.ts for its flags, and tier-report.ts for what it is about. */
import { readMachine } from "../bench/machine.ts";
import { createTopic, deleteTopic, waitUntilServed } from "../bench/topics.ts";
import { withClient } from "../fixtures/wire-client.ts";
import { pause } from "./churn.ts";
import { startSampling } from "./sampling.ts";
import { startSubject, type Subject } from "./subject.ts";
import { TierLoad } from "./tier-load.ts";
import {
  localBytesMax,
  objectBytesMax,
  planOf,
  retentionCheckMs,
  type StoreKind,
  topicConfigs,
  type TierPlan,
  writtenBytes,
} from "./tier-plan.ts";
import { tierFaults, type TierOutcome } from "./tier-report.ts";
import { takeTierSample, tierCounters, type TierSample } from "./tier-sample.ts";
import { openSoakStore, type SoakStore } from "./tier-store.ts";

export interface TierRun {
  readonly store: StoreKind;
  readonly minutes: number;
  readonly megabytesPerSecond: number;
  readonly partitions: number;
  readonly seed: number;
  readonly python: string;
  /** Empty; the caller removes it. */
  readonly folder: string;
  readonly command: string;
}

interface Tiers {
  readonly run: TierRun;
  readonly plan: TierPlan;
  readonly subject: Subject;
  readonly store: SoakStore;
  readonly violations: string[];
}

/** A topic's objects go after the answer to its deletion; packs with the next checkpoint. */
const emptiedMsMax = 240_000;
/** What may be left of checkpoints that name nothing. */
const leftBytesMax = 16 * 1024 * 1024;

export async function soakTiers(run: TierRun): Promise<TierOutcome> {
  const plan = planOf(run);
  const store = await openSoakStore(run.store, run.folder);
  try {
    const settings = [
      ...store.settings,
      "group.initial.rebalance.delay.ms=0",
      `log.retention.check.interval.ms=${retentionCheckMs}`,
    ];
    const subject = await startSubject(run.folder, settings, store.environment);
    try {
      return await soakSubject({ run, plan, subject, store, violations: [] });
    } finally {
      await subject.broker.stop();
    }
  } finally {
    await store.close();
  }
}

async function soakSubject(tiers: Tiers): Promise<TierOutcome> {
  const { plan, run, store, subject } = tiers;
  await createTopics(tiers);
  const violated = violation(tiers);
  const loads = plan.topics.map((topic) => {
    const { python, seed } = run;
    return new TierLoad(topic, { python, port: subject.port, plan, seed, violated });
  });
  const sampling = startSampling<TierSample>({
    everyMs: plan.sampleMs,
    take: () => takeTierSample(subject, store),
    shown: (sample) =>
      Object.entries(sample)
        .map(([name, value]) => `${name} ${value.toFixed(0)}`)
        .join(", "),
    failed: violated,
  });
  try {
    for (const load of loads) load.start();
    await whileAlive(subject, plan.minutes * 60_000);
    await Promise.all(loads.map((load) => load.finish()));
    await sampling.stop();
    for (const load of loads) await load.readWhole();
    const cut = await Promise.all(loads.map((load) => load.partitionsCut()));
    const counters = await tierCounters(subject);
    const left = await deleteTopics(tiers);
    return await outcomeOf(tiers, sampling.samples, [
      ...countsOf(loads),
      ["partitions whose head retention deleted", cut.reduce((sum, count) => sum + count, 0)],
      ["bytes of objects left after the topics were deleted", left],
      ...counters,
    ]);
  } finally {
    await sampling.stop();
    for (const load of loads) load.kill();
  }
}

function violation({ violations }: Tiers): (reason: string) => void {
  return (reason) => {
    violations.push(reason);
    if (violations.length <= 50) console.log(`  ${reason}`);
  };
}

async function createTopics({ plan, subject }: Tiers): Promise<void> {
  await withClient(subject.port, async (client) => {
    for (const topic of plan.topics) {
      const shape = { topic: topic.topic, partitionCount: topic.partitionCount };
      await createTopic(client, { ...shape, configs: topicConfigs(topic) });
      await waitUntilServed(client, shape);
    }
  });
}

async function whileAlive({ broker }: Subject, ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (performance.now() < deadline) {
    if (broker.ended()) throw new Error(`the broker ended: ${broker.outputTail()}`);
    await pause(Math.min(1_000, deadline - performance.now()));
  }
}

/** The bytes of objects that are left when nothing more goes. */
async function deleteTopics(tiers: Tiers): Promise<number> {
  const { plan, store, subject } = tiers;
  await withClient(subject.port, async (client) => {
    for (const { topic } of plan.topics) await deleteTopic(client, topic);
  });
  const deadline = performance.now() + emptiedMsMax;
  for (;;) {
    const { packBytes, segmentBytes } = await store.stored();
    const isEmpty = segmentBytes === 0 && packBytes <= leftBytesMax;
    if (isEmpty) return packBytes;
    if (performance.now() > deadline) {
      const left = `${segmentBytes} bytes of segments, ${packBytes} of packs`;
      violation(tiers)(`left behind when the topics were deleted: ${left}`);
      return segmentBytes + packBytes;
    }
    await pause(1_000);
  }
}

function countsOf(loads: readonly TierLoad[]): TierOutcome["happened"] {
  const total = (name: keyof TierLoad["counts"]): number =>
    loads.reduce((sum, { counts }) => sum + counts[name], 0);
  return [
    ["records acknowledged, stored, and read at the tail", total("acknowledged")],
    ["passes of readers from the beginning", total("scans")],
    ["records that they read", total("scannedRecords")],
    ["bytes of their values", total("scannedBytes")],
    ["times that retention overtook them", total("skipped")],
  ];
}

async function outcomeOf(
  { plan, run, violations }: Tiers,
  samples: TierOutcome["samples"],
  happened: TierOutcome["happened"],
): Promise<TierOutcome> {
  const machine = await readMachine();
  const outcome: TierOutcome = {
    command: run.command,
    date: new Date().toISOString().slice(0, 10),
    machine: `${machine.cores} cores, ${machine.kernel}, Node ${machine.node}`,
    store: run.store,
    minutes: run.minutes,
    partitions: run.partitions,
    writtenBytes: writtenBytes(plan),
    localBytesMax: localBytesMax(plan),
    objectBytesMax: objectBytesMax(plan),
    samples,
    happened,
    violations,
  };
  return { ...outcome, violations: [...violations, ...tierFaults(outcome)] };
}
