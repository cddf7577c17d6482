/** One attack, with what its neighbours, the kernel and the log saw of it. */
import { type Attack, Stage } from "./attack.ts";
import type { ClientReport, Neighbours, ProberReport } from "./neighbours.ts";
import { pause, type Subject } from "./subject.ts";

/** How long the neighbours are watched at least. */
const watchedMsMin = 300;
/** Of the wait for a round, without what a busy machine adds: well below the seconds of a stall. */
const waitMsMaxUsual = 1_500;
/** Files of partitions and of the journal, beside the sockets of the attack itself. */
const otherDescriptorsMax = 50;
/** Lines a second that peers can cause: see `connectionLogLinesPerSecondMax`. */
const logLinesPerSecondMax = 20;

export interface Observed {
  readonly answer: string;
  readonly problems: readonly string[];
  readonly prober: ProberReport | undefined;
  readonly client: ClientReport | undefined;
  readonly ms: number;
  readonly peakBytes: number;
  readonly startBytes: number;
  readonly descriptors: number;
  readonly logLines: number;
}

export interface Scene {
  readonly subject: Subject;
  readonly neighbours: Neighbours;
}

export async function observe({ subject, neighbours }: Scene, attack: Attack): Promise<Observed> {
  const problems: string[] = [];
  const stage = new Stage(subject);
  const linesBefore = subject.logLines().length;
  // What the client saw since the attack before counts, too.
  problems.push(...clientProblems((await neighbours.report()).client));
  subject.forgetPeak();
  const startBytes = subject.residentBytes();
  const startDescriptors = subject.descriptors();
  let descriptors = startDescriptors;
  const watch = setInterval(() => {
    if (!subject.ended()) descriptors = Math.max(descriptors, subject.descriptors());
  }, 50);
  const startedAt = performance.now();
  let answer = "";
  try {
    answer = await attack.perform(stage);
  } catch (error) {
    problems.push(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  }
  await pause(Math.max(0, watchedMsMin - (performance.now() - startedAt)));
  const ms = performance.now() - startedAt;
  const descriptorsMax = startDescriptors + stage.opened + otherDescriptorsMax;
  stage.clear();
  clearInterval(watch);
  if (subject.ended()) {
    const end = subject.output().slice(-1_500);
    problems.push(`the broker ended: ${end}`);
    const gone = { prober: undefined, client: undefined, peakBytes: 0, logLines: 0 };
    return { answer, problems, ms, startBytes, descriptors, ...gone };
  }
  const seen = await neighbours.report();
  const peakBytes = subject.peakBytes();
  const logLines = subject.logLines().length - linesBefore;
  const observed = { ...seen, answer, ms, peakBytes, startBytes, descriptors, logLines };
  problems.push(...judge(attack, observed));
  if (descriptors > descriptorsMax) {
    problems.push(`${descriptors} descriptors, above ${descriptorsMax}`);
  }
  return { ...observed, problems };
}

function judge(attack: Attack, seen: Omit<Observed, "problems">): readonly string[] {
  const problems: string[] = [];
  const waitMsMax = attack.waitMsMax ?? waitMsMaxUsual;
  const waitedMs = seen.prober?.served.max ?? 0;
  if (waitedMs > waitMsMax) {
    problems.push(`the prober was served after ${waitedMs.toFixed(0)} ms, above ${waitMsMax}`);
  }
  if (seen.prober?.round.count === 0) problems.push("the prober got no answer at all");
  problems.push(...clientProblems(seen.client));
  const grownBytes = seen.peakBytes - seen.startBytes;
  if (grownBytes > attack.memory.bytes) {
    problems.push(`memory grew by ${mib(grownBytes)}, above ${mib(attack.memory.bytes)} MiB`);
  }
  const linesMax = logLinesPerSecondMax * (Math.ceil(seen.ms / 1000) + 1);
  if (seen.logLines > linesMax) problems.push(`${seen.logLines} log lines, above ${linesMax}`);
  return problems;
}

export function clientProblems(client: ClientReport | undefined): readonly string[] {
  if (client === undefined) return [];
  const problems: string[] = [];
  if (client.errors.length > 0) problems.push(`librdkafka: ${client.errors.join("; ")}`);
  if (client.gaps.length > 0) problems.push(`librdkafka lost ${JSON.stringify(client.gaps)}`);
  if (client.assignments !== 0) problems.push("librdkafka: its group was rebalanced");
  return problems;
}

export function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0);
}
