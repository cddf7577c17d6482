/**
 * The load of a soak with tiers: idempotent producers that write to every partition, a group that
 * reads at the tail, and readers that read from the beginning over and over, each process of
 * load.py. What must not happen is told to `violated`.
 */
import { withClient } from "../fixtures/wire-client.ts";
import { pause } from "./churn.ts";
import { Coverage } from "./coverage.ts";
import { endLoadClient, type LoadClient, startLoadClient } from "./load-client.ts";
import type { TierPlan, TierTopic } from "./tier-plan.ts";

export interface TierLoadOptions {
  readonly python: string;
  readonly port: number;
  readonly plan: TierPlan;
  readonly seed: number;
  readonly violated: (reason: string) => void;
}

export interface TierCounts {
  acknowledged: number;
  scans: number;
  scannedRecords: number;
  scannedBytes: number;
  /** How often a reader from the beginning was overtaken by retention. */
  skipped: number;
}

/** Partitions that a reader from the beginning reads at a time. */
const scannedAtOnce = 8;
const tailMembers = 2;
const catchUpMsMax = 120_000;
const flushMsMax = 120_000;
const onceMsMax = 1_800_000;
const compactEveryMs = 10_000;
const earliest = -2n;
const latest = -1n;

/** The load on one topic. */
export class TierLoad {
  readonly #topic: TierTopic;
  readonly #options: TierLoadOptions;
  readonly #coverage = new Coverage();
  readonly #acknowledged = new Map<number, number>();
  readonly #clients = new Set<LoadClient>();
  readonly #producers: LoadClient[] = [];
  readonly #readers: LoadClient[] = [];
  readonly #compacting: NodeJS.Timeout;
  readonly counts: TierCounts = {
    acknowledged: 0,
    scans: 0,
    scannedRecords: 0,
    scannedBytes: 0,
    skipped: 0,
  };

  constructor(topic: TierTopic, options: TierLoadOptions) {
    this.#topic = topic;
    this.#options = options;
    this.#compacting = setInterval(() => this.#coveredTo(), compactEveryMs);
  }

  /** Readers come first: the tail's read everything that is ever written. */
  start(): void {
    const { partitionCount, topic } = this.#topic;
    for (let i = 0; i < tailMembers; i += 1) {
      const member = ["member", this.#address, topic, `tail-${topic}`, String(partitionCount)];
      this.#readers.push(this.#run(member));
    }
    const { plan, seed } = this.#options;
    const scan = ["scan", this.#address, topic, partitionList(0, partitionCount)];
    const pace = [scannedAtOnce, Math.round(plan.scanBytesPerSecond), seed].map(String);
    this.#readers.push(this.#run([...scan, ...pace]));
    for (let writer = 0; writer < this.#topic.writers; writer += 1) this.#startWriter(writer);
  }

  /** Ends the producers, then the readers at the tail once they have read all of it. */
  async finish(): Promise<void> {
    for (const producer of this.#producers) await endLoadClient(producer, flushMsMax);
    const ends = await this.offsets(latest);
    this.#checkAcknowledged(ends);
    await this.#tailCaughtUp(ends);
    for (const reader of this.#readers) await endLoadClient(reader);
    clearInterval(this.#compacting);
  }

  /** Reads every partition from its start to its end; a gap, or a wrong record, is a violation. */
  async readWhole(): Promise<void> {
    const { partitionCount, topic } = this.#topic;
    const before = this.counts.scannedRecords;
    const [starts, ends] = [await this.offsets(earliest), await this.offsets(latest)];
    const list = partitionList(0, partitionCount);
    const reader = this.#run(["once", this.#address, topic, list, String(scannedAtOnce * 4)]);
    const timer = setTimeout(() => reader.child.kill("SIGKILL"), onceMsMax);
    await reader.ended;
    clearTimeout(timer);
    const found = this.counts.scannedRecords - before;
    // Retention may have moved a start before its partition's turn came.
    const least = sum(ends) - sum(await this.offsets(earliest));
    const most = sum(ends) - sum(starts);
    if (found >= least && found <= most) return;
    this.#violated(`${found} records were read in the end, of ${least} to ${most}`);
  }

  async partitionsCut(): Promise<number> {
    return (await this.offsets(earliest)).filter((start) => start > 0).length;
  }

  kill(): void {
    clearInterval(this.#compacting);
    for (const { child } of this.#clients) child.kill("SIGKILL");
  }

  get #address(): string {
    return `127.0.0.1:${this.#options.port}`;
  }

  #startWriter(writer: number): void {
    const { bytesPerSecond, partitionCount, topic, writers } = this.#topic;
    const [from, to] = [writer, writer + 1].map((n) => Math.floor((partitionCount * n) / writers));
    const rate = Math.round(bytesPerSecond / writers);
    const settings = "enable.idempotence=true,linger.ms=50";
    const seed = this.#options.seed * 100 + writer;
    const where = [topic, partitionList(from ?? 0, to ?? 0)];
    const args = ["produce", this.#address, ...where, String(rate), String(seed), settings];
    this.#producers.push(this.#run(args));
  }

  #run(args: readonly string[]): LoadClient {
    const client = startLoadClient(this.#options.python, args, (line) => this.#hear(line));
    this.#clients.add(client);
    void client.ended.then(() => this.#clients.delete(client));
    return client;
  }

  #hear(line: string): void {
    const [kind, ...words] = line.split(" ");
    const [first = 0, second = 0, third = 0] = words.map(Number);
    if (kind === "A") this.#acknowledged.set(first, second);
    else if (kind === "R") this.#coverage.add(first, second, third);
    else if (kind === "S") {
      this.counts.scans += 1;
      this.counts.scannedRecords += first;
      this.counts.scannedBytes += second;
      this.counts.skipped += third;
    } else this.#violated(line);
  }

  #violated(reason: string): void {
    this.#options.violated(`${this.#topic.topic}: ${reason}`);
  }

  /** One writer to each partition, idempotent: what is stored is what was acknowledged. */
  #checkAcknowledged(ends: readonly number[]): void {
    for (const [partition, end] of ends.entries()) {
      const acked = this.#acknowledged.get(partition) ?? 0;
      this.counts.acknowledged += acked;
      if (end !== acked) this.#violated(`${partition}: ${acked} acknowledged, ${end} stored`);
    }
  }

  #coveredTo(): readonly number[] {
    const { partitionCount } = this.#topic;
    return Array.from({ length: partitionCount }, (_, one) => this.#coverage.coveredTo(one));
  }

  async #tailCaughtUp(ends: readonly number[]): Promise<void> {
    const deadline = performance.now() + catchUpMsMax;
    for (;;) {
      const covered = this.#coveredTo();
      const missing = ends.filter((end, partition) => (covered[partition] ?? 0) < end);
      if (missing.length === 0) return;
      if (performance.now() > deadline) {
        this.#violated(
          `readers at the tail did not come to the end of ${missing.length} partitions`,
        );
        return;
      }
      await pause(500);
    }
  }

  offsets(timestamp: bigint): Promise<readonly number[]> {
    const { partitionCount, topic } = this.#topic;
    return withClient(this.#options.port, async (client) => {
      const partitions = Array.from({ length: partitionCount }, (_, partitionIndex) => ({
        ...{ partitionIndex, timestamp },
      }));
      const request = { replicaId: -1, topics: [{ name: topic, partitions }] };
      const { topics } = await client.ask(2, 5, request);
      const answered = topics[0]?.partitions ?? [];
      const offsets = new Map(
        answered.map(({ offset, partitionIndex }) => [partitionIndex, offset]),
      );
      return partitions.map(({ partitionIndex }) => {
        const offset = offsets.get(partitionIndex);
        if (offset === undefined) throw new Error(`${topic}-${partitionIndex}: no offset`);
        return Number(offset);
      });
    });
  }
}

function partitionList(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => from + index).join(",");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
