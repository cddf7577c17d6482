/** What a run of cases may leave in the broker's process: nothing that grows with them. */
import type { CloseReason } from "../../../broker-fargate/src/server/close-reason.ts";
import { pause, type Subject } from "../../hardness/subject.ts";

/** Zero once all clients are gone and the rebalances that they asked for are over. */
const gauges: readonly string[] = [
  "millrace_connections",
  "millrace_requests_in_flight",
  "millrace_request_memory_bytes",
  "millrace_request_memory_waiting_connections",
  "millrace_unsent_reply_bytes",
];
/** Zero for ever: a handler that failed closes its connection so. */
const failures = 'millrace_connections_closed_total{reason="handlerFailed"}';

/** Each has a line in the log, of its own or as one of the number that was left out. */
const refusals: readonly CloseReason[] = [
  ...(["frameTooLarge", "frameNegative", "undecodable"] as const),
  ...(["unknownApi", "unsupportedVersion"] as const),
];

const drainMsMin = 5_000;
const drainMsMost = 40_000;
const errorLevelMin = 50;

/**
 * What a run may add: what V8 keeps for young objects, over 100 MiB of it, caches that are filled,
 * code that is compiled, files that were opened.
 */
const mebibytesMoreMax = 300;
/** Of the heap in use, whose least in some samples is what a collection left. */
const heapMebibytesMoreMax = 30;
const heapSamplesMin = 40;
const descriptorsMoreMax = 40;

export interface Footprint {
  readonly mebibytes: number;
  readonly descriptors: number;
}

export function footprintOf(subject: Subject): Footprint {
  return {
    mebibytes: Math.round(subject.residentBytes() / 2 ** 20),
    descriptors: subject.descriptors(),
  };
}

export function excess(before: Footprint, after: Footprint): readonly string[] {
  const found: string[] = [];
  const more = after.mebibytes - before.mebibytes;
  if (more > mebibytesMoreMax) found.push(`memory grew by ${more} MiB`);
  const files = after.descriptors - before.descriptors;
  if (files > descriptorsMoreMax) found.push(`${files} descriptors more than before`);
  return found;
}

/** In MiB. */
export async function heapOf(subject: Subject): Promise<number> {
  return (await subject.metric("nodejs_heap_size_used_bytes")) / 2 ** 20;
}

/** Whether what collections leave grew from the run's second quarter to its last. */
export function heapGrowth(samples: readonly number[]): readonly string[] {
  if (samples.length < heapSamplesMin) return [];
  const quarter = Math.floor(samples.length / 4);
  const early = Math.min(...samples.slice(quarter, 2 * quarter));
  const late = Math.min(...samples.slice(-quarter));
  if (late - early <= heapMebibytesMoreMax) return [];
  return [`the heap in use grew from ${early.toFixed(0)} to ${late.toFixed(0)} MiB`];
}

/** Waits until the gauges are at zero; says which don't get there, and what failed on the way. */
export async function drained(subject: Subject, rebalanceMs: number): Promise<readonly string[]> {
  const untilMs = performance.now() + drainMsMin + Math.min(rebalanceMs, drainMsMost);
  let left = await above(subject);
  while (left.length > 0 && performance.now() < untilMs) {
    await pause(50);
    left = await above(subject);
  }
  const failed = await subject.metric(failures);
  return failed === 0 ? left : [...left, `${failures} is ${failed}`];
}

async function above(subject: Subject): Promise<readonly string[]> {
  const found: string[] = [];
  for (const gauge of gauges) {
    const value = await subject.metric(gauge);
    if (value !== 0) found.push(`${gauge} is ${value} when all clients are gone`);
  }
  return found;
}

/** Connections that were closed because of what they sent, by the metrics and by the log. */
export async function closings(
  subject: Subject,
): Promise<{ readonly counted: number; readonly told: number }> {
  let counted = 0;
  for (const reason of refusals) {
    counted += await subject.metric(`millrace_connections_closed_total{reason="${reason}"}`);
  }
  let told = 0;
  for (const { msg, linesDropped } of subject.logLines()) {
    if (msg.startsWith("closing the connection")) told += 1 + (linesDropped ?? 0);
  }
  return { counted, told };
}

/** Lines that say that something is broken, of the part of the log that is given. */
export function logFaults(output: string): readonly string[] {
  return output.split("\n").flatMap((line) => {
    if (!line.startsWith("{")) return [];
    const level = /"level":(\d+)/u.exec(line)?.[1];
    return Number(level) >= errorLevelMin ? [`the broker logged: ${line.slice(0, 2_000)}`] : [];
  });
}
