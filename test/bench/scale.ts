/**
 * How much each figure does. `full` is what the documented numbers come from. `quick` shows in a
 * few minutes that a figure works: Kafka's compiler is not warm by then, so its ratios are
 * indicative at most.
 */

export interface Scale {
  readonly name: "full" | "quick";
  /** Produced, and consumed, before anything is measured: both brokers' compilers need a few GB. */
  readonly warmUpBytes: number;
  readonly produceBytes: number;
  /** Of records of 100 B, which cost a client some ten times more a byte. */
  readonly produceSmallBytes: number;
  readonly consumeBytes: number;
  readonly memoryBytes: number;
  readonly saturationSeconds: number;
  readonly latencyWarmUpSeconds: number;
  readonly latencySeconds: number;
  readonly stallSeconds: number;
  readonly partitions: number;
  /** Kafka 4.3.1 refuses to create 10,000 at once. */
  readonly partitionsOfKafka: number;
  readonly partitionsWritten: number;
  readonly manyTopics: number;
  readonly manyTopicsPartitions: number;
  readonly manyTopicsWritten: number;
  readonly connections: number;
  readonly consumers: number;
  readonly idleSeconds: number;
  /** Produced before tiers are measured: Millrace alone is, which needs less to be warm. */
  readonly tierWarmUpBytes: number;
  readonly tieredBytes: number;
  readonly coldBytes: number;
  readonly coldCatchUpBytes: number;
  /** Of the end-to-end latency beside readers of cold and of hot data. */
  readonly tailSeconds: number;
  readonly largeRestartBytes: number;
  readonly compactedBytes: number;
  /** Produced, and consumed, by each client for Node. */
  readonly nodeClientBytes: number;
  readonly nodeClientSmallBytes: number;
  /** What the figures write at most before it is removed, and some room. */
  readonly diskBytesMin: number;
}

const GB = 1e9;

const full: Scale = {
  name: "full",
  warmUpBytes: 3 * GB,
  produceBytes: 2 * GB,
  produceSmallBytes: 0.5 * GB,
  consumeBytes: 2 * GB,
  memoryBytes: 10 * GB,
  saturationSeconds: 15,
  latencyWarmUpSeconds: 10,
  latencySeconds: 40,
  stallSeconds: 120,
  partitions: 10_000,
  partitionsOfKafka: 9_000,
  partitionsWritten: 1_000,
  manyTopics: 100,
  manyTopicsPartitions: 1_000,
  manyTopicsWritten: 1_000,
  connections: 5_000,
  consumers: 500,
  idleSeconds: 20,
  tierWarmUpBytes: 1 * GB,
  tieredBytes: 2 * GB,
  coldBytes: 3 * GB,
  coldCatchUpBytes: 2 * GB,
  tailSeconds: 20,
  largeRestartBytes: 20 * GB,
  compactedBytes: 5 * GB,
  nodeClientBytes: 1 * GB,
  nodeClientSmallBytes: 0.2 * GB,
  diskBytesMin: 26 * GB,
};

const quick: Scale = {
  name: "quick",
  warmUpBytes: 0.3 * GB,
  produceBytes: 0.3 * GB,
  produceSmallBytes: 0.1 * GB,
  consumeBytes: 0.3 * GB,
  memoryBytes: 0.5 * GB,
  saturationSeconds: 4,
  latencyWarmUpSeconds: 4,
  latencySeconds: 8,
  stallSeconds: 12,
  partitions: 1_000,
  partitionsOfKafka: 900,
  partitionsWritten: 100,
  manyTopics: 20,
  manyTopicsPartitions: 1_000,
  manyTopicsWritten: 100,
  connections: 500,
  consumers: 50,
  idleSeconds: 5,
  tierWarmUpBytes: 0.1 * GB,
  tieredBytes: 0.3 * GB,
  coldBytes: 0.3 * GB,
  coldCatchUpBytes: 0.3 * GB,
  tailSeconds: 6,
  largeRestartBytes: 1 * GB,
  compactedBytes: 0.5 * GB,
  nodeClientBytes: 0.1 * GB,
  nodeClientSmallBytes: 0.02 * GB,
  diskBytesMin: 12 * GB,
};

export const scales: { readonly full: Scale; readonly quick: Scale } = { full, quick };

export function inGB(bytes: number): string {
  return `${(bytes / GB).toLocaleString("en", { maximumFractionDigits: 1 })} GB`;
}
