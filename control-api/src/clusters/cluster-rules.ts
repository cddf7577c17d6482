/** What a cluster may be: its name, its size, and the limits that brokers enforce. Pure. */
import { brokerConfigs, parseConfig } from "@millrace/core";
import type { ClusterChange, ClusterSpec } from "./cluster-record.ts";
import { brokersMax, clusterNameCharactersMax } from "./limits.ts";

export interface RuleFault {
  /** JSON pointer (RFC 6901) into what was asked for. */
  readonly pointer: string;
  readonly detail: string;
}

/** Sizes of a Fargate task by CPU units: the memory that goes with them, in MiB, and its steps. */
export const brokerSizes: readonly {
  readonly cpu: number;
  readonly from: number;
  readonly to: number;
  readonly step: number;
}[] = [
  { cpu: 256, from: 512, to: 2_048, step: 512 },
  { cpu: 512, from: 1_024, to: 4_096, step: 1_024 },
  { cpu: 1_024, from: 2_048, to: 8_192, step: 1_024 },
  { cpu: 2_048, from: 4_096, to: 16_384, step: 1_024 },
  { cpu: 4_096, from: 8_192, to: 30_720, step: 1_024 },
];

/** The broker's configs that bound something and that it enforces. */
export const limitConfigs: readonly string[] = [
  "connections.max.idle.ms",
  "fetch.max.bytes",
  "group.max.size",
  "max.connections",
  "max.connections.per.ip",
  "message.max.bytes",
  "queued.max.request.bytes",
  "socket.request.max.bytes",
];

const label = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/u;

/** Undefined: it can be a cluster's. */
export function clusterNameFault(name: string): string | undefined {
  if (name.length > clusterNameCharactersMax) {
    return `a name has at most ${clusterNameCharactersMax} characters`;
  }
  if (label.test(name)) return undefined;
  return "a name has lower-case letters, digits and dashes, and begins and ends without a dash";
}

export function specFaults(spec: ClusterSpec): readonly RuleFault[] {
  return [
    ...brokersFaults(spec.brokers),
    ...sizeFaults(spec.brokerSize),
    ...limitFaults(spec.limits),
  ];
}

function brokersFaults(brokers: number): readonly RuleFault[] {
  if (Number.isInteger(brokers) && brokers >= 1 && brokers <= brokersMax) return [];
  return [{ pointer: "/brokers", detail: `a cluster has 1 to ${brokersMax} brokers` }];
}

function sizeFaults({ cpu, memoryMiB }: ClusterSpec["brokerSize"]): readonly RuleFault[] {
  const size = brokerSizes.find((candidate) => candidate.cpu === cpu);
  if (size === undefined) {
    const known = brokerSizes.map((candidate) => candidate.cpu).join(", ");
    return [{ pointer: "/brokerSize/cpu", detail: `cpu is one of ${known}` }];
  }
  const { from, step, to } = size;
  // 256 units go with 512, 1,024 and 2,048 MiB.
  const isHole = cpu === 256 && memoryMiB === 1_536;
  const isStep = (memoryMiB - from) % step === 0;
  if (memoryMiB >= from && memoryMiB <= to && isStep && !isHole) return [];
  const detail = `memoryMiB of ${cpu} units is ${from} to ${to}, in steps of ${step}`;
  return [{ pointer: "/brokerSize/memoryMiB", detail }];
}

function limitFaults(limits: ClusterSpec["limits"]): readonly RuleFault[] {
  return Object.entries(limits).flatMap(([name, value]) => {
    const pointer = `/limits/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const definition = brokerConfigs.get(name);
    if (definition === undefined || !limitConfigs.includes(name)) {
      return [{ pointer, detail: `limits are: ${limitConfigs.join(", ")}` }];
    }
    const parsed = parseConfig(definition, value);
    return parsed.ok ? [] : [{ pointer, detail: parsed.message }];
  });
}

/** The specification after the change. A limit that is changed to an empty text goes. */
export function changedSpec(before: ClusterSpec, change: ClusterChange): ClusterSpec {
  const limits = { ...before.limits, ...change.limits };
  const kept = Object.entries(limits).filter(([, value]) => value !== "");
  return {
    brokers: change.brokers ?? before.brokers,
    brokerSize: change.brokerSize ?? before.brokerSize,
    limits: Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
}

export function isSameSpec(left: ClusterSpec, right: ClusterSpec): boolean {
  return left.brokers === right.brokers && !isOtherBroker(left, right);
}

/** Whether brokers that run are to start anew. */
export function isOtherBroker(before: ClusterSpec, after: ClusterSpec): boolean {
  const same = (left: unknown, right: unknown) => JSON.stringify(left) === JSON.stringify(right);
  const sorted = (limits: ClusterSpec["limits"]) =>
    Object.entries(limits).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return (
    before.brokerSize.cpu !== after.brokerSize.cpu ||
    before.brokerSize.memoryMiB !== after.brokerSize.memoryMiB ||
    !same(sorted(before.limits), sorted(after.limits))
  );
}
