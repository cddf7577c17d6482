import { tierLimits } from "../../broker-fargate/src/tier/limits.ts";
import type { Task } from "./bill.ts";
import {
  consumerGroup,
  fullBatches,
  type Scenario,
  streamsApplication,
  trickle,
} from "./scenarios.ts";

export type ScenarioName =
  | "idleOne"
  | "idleThree"
  | "record"
  | "oneMegabyte"
  | "tenMegabytes"
  | "tenOnThree"
  | "trickleFew"
  | "trickleMany"
  | "group"
  | "streams";

/** How long 0.1 MB/s to a partition take to fill a cold segment: counts are of whole cycles. */
const segmentMinutes = tierLimits.coldSegmentBytesMin / 100_000 / 60;

/** What is counted, in the order and by the names of the document. */
export const scenarios: Readonly<Record<ScenarioName, Scenario>> = {
  idleOne: scenario("idle, alone in its cluster", { minutes: 10 }),
  idleThree: scenario("idle, one of three", { brokers: 3, minutes: 10 }),
  record: scenario("one record a second to one partition", {
    load: { kind: "produce", partitions: 1, batchesPerSecond: 1, valueBytes: 100 },
    warmUpMinutes: 3,
    minutes: 10,
  }),
  oneMegabyte: scenario("1 MB/s to 100 partitions, alone", {
    load: fullBatches(1, 100),
    warmUpMinutes: 2,
    minutes: 10 * segmentMinutes,
  }),
  tenMegabytes: scenario("10 MB/s to 100 partitions, alone", {
    load: fullBatches(10, 100),
    warmUpMinutes: 0.5,
    minutes: segmentMinutes,
  }),
  tenOnThree: scenario("10 MB/s to 100 partitions, one of three", {
    load: fullBatches(10, 100),
    brokers: 3,
    warmUpMinutes: 0.5,
    minutes: segmentMinutes,
  }),
  trickleFew: scenario("1,000 partitions, a record a minute each, alone", {
    load: trickle(1_000),
    warmUpMinutes: 3,
    minutes: 5,
  }),
  trickleMany: scenario("10,000 partitions, a record a minute each, alone", {
    load: trickle(10_000),
    warmUpMinutes: 3,
    minutes: 3,
  }),
  group: scenario("the coordinator of a group of 30 that commits every 5 s, one of three", {
    load: consumerGroup,
    brokers: 3,
    warmUpMinutes: 1,
    minutes: 5,
  }),
  streams: scenario("the coordinator of a Streams application, one of three", {
    load: streamsApplication,
    brokers: 3,
    warmUpMinutes: 1,
    minutes: 3,
  }),
};

/** Partitions that trickle, for which the counts of fewer are carried on. */
export const trickledPartitions = 100_000;
/** How much more than the largest load that is counted, on one broker. */
export const largestFactor = 10;

/** The least that Fargate has, and two larger ones. */
export const tasks: Readonly<Record<"least" | "small" | "whole", Task>> = {
  least: { vcpus: 0.25, memoryGb: 0.5 },
  small: { vcpus: 0.5, memoryGb: 1 },
  whole: { vcpus: 1, memoryGb: 2 },
};

/** `log.retention.hours` by default. */
export const retentionDays = 7;

function scenario(name: string, rest: Partial<Scenario>): Scenario {
  return { name, brokers: 1, warmUpMinutes: 0, minutes: 5, load: { kind: "idle" }, ...rest };
}
