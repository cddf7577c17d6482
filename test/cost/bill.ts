import type { Counts } from "./counts.ts";
import type { PriceName, Prices } from "./prices.ts";

const secondsPerDay = 86_400;
/** AWS's GB of S3 and of Fargate's memory are taken as 10^9 bytes: 7 % too much at most. */
const gigabyte = 1e9;

/** A broker's task on Fargate. */
export interface Task {
  readonly vcpus: number;
  readonly memoryGb: number;
}

/** What brokers do, and what its month costs. */
export interface Month {
  readonly brokers: number;
  readonly task: Task;
  /** Of one broker, in an hour. */
  readonly counts: Counts;
  /** Written by producers, to all brokers together. */
  readonly bytesPerSecond: number;
  readonly retentionDays: number;
}

export const billLines = ["tasks", "addresses", "S3 requests", "S3 storage", "DynamoDB"] as const;

export type Bill = Readonly<Record<(typeof billLines)[number] | "total", number>>;

/** US dollars of a month's requests by one broker, by what is asked. */
export interface RequestBill {
  readonly puts: number;
  readonly gets: number;
  readonly reads: number;
  readonly writes: number;
  readonly total: number;
}

export function requestBill(perHour: Counts, prices: Prices): RequestBill {
  const cost = (count: number, price: PriceName, per: number): number =>
    ((count * prices.hoursPerMonth) / per) * prices.of[price].usd;
  const puts = cost(perHour.puts + perHour.lists, "s3PutPerThousand", 1e3);
  const gets = cost(perHour.gets, "s3GetPerThousand", 1e3);
  const reads = cost(perHour.readUnits, "dynamoDbReadPerMillion", 1e6);
  const writes = cost(perHour.writeUnits, "dynamoDbWritePerMillion", 1e6);
  return { puts, gets, reads, writes, total: puts + gets + reads + writes };
}

export function monthlyBill(month: Month, prices: Prices): Bill {
  const { brokers, bytesPerSecond, counts, retentionDays, task } = month;
  const { hoursPerMonth, of } = prices;
  const requests = requestBill(counts, prices);
  const taskHour = task.vcpus * of.fargateVcpuHour.usd + task.memoryGb * of.fargateGbHour.usd;
  const stored = (bytesPerSecond * secondsPerDay * retentionDays) / gigabyte;
  const lines = {
    tasks: brokers * taskHour * hoursPerMonth,
    addresses: brokers * of.publicIpv4Hour.usd * hoursPerMonth,
    "S3 requests": brokers * (requests.puts + requests.gets),
    "S3 storage": stored * of.s3GbMonth.usd,
    DynamoDB: brokers * (requests.reads + requests.writes),
  };
  return { ...lines, total: billLines.reduce((sum, line) => sum + lines[line], 0) };
}

/** US dollars for so much of a month's bytes that goes from one zone to another. */
export function zonesBill(bytesPerSecond: number, prices: Prices): number {
  const { hoursPerMonth, of } = prices;
  return ((bytesPerSecond * hoursPerMonth * 3600) / gigabyte) * of.zoneGb.usd;
}
