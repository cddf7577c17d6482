import type { TopicId } from "@millrace/core";
import { buildBatch, crc32c, jsCodecs } from "@millrace/wire";
import { Metrics } from "../metrics/registry.ts";
import { Rig, turn } from "../partition/fixtures.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { wireFormat } from "../partition/wire-format.ts";
import { IdleLogs } from "./idle-logs.ts";
import type { RetentionLimits } from "./limits.ts";
import { Retention } from "./retention.ts";

/** So many that a segment of `segment.bytes=1048576` holds one batch. */
export const batchPaddingBytes = 700_000;

/** Partitions in memory, each of whose batches fills a segment, and their retention. */
export class RetentionRig {
  readonly rig: Rig;
  readonly warnings: string[] = [];
  metrics: Metrics = new Metrics();
  #retention: Retention | undefined;

  constructor(options: ConstructorParameters<typeof Rig>[0] = {}) {
    this.rig = new Rig(options);
  }

  async start(limits?: RetentionLimits): Promise<this> {
    await this.rig.start();
    this.attach(limits);
    return this;
  }

  get retention(): Retention {
    if (this.#retention === undefined) throw new Error("not started");
    return this.#retention;
  }

  /** Retention over the partitions of the present life. */
  attach(limits?: RetentionLimits): void {
    const { clock, cluster, disk, partitions } = this.rig;
    const wire = wireFormat({ codecs: jsCodecs, crc32c });
    this.metrics = new Metrics();
    this.#retention = new Retention({
      ...{ clock, cluster, partitions, metrics: this.metrics },
      idleLogs: new IdleLogs({ disk, wire }),
      log: {
        warn: (_, message) => this.warnings.push(message),
        error: (_, message) => this.warnings.push(message),
      },
      ...(limits === undefined ? {} : { limits }),
    });
  }

  /** A check, from its begin to its end, while time passes. */
  async check(): Promise<void> {
    let isOver = false;
    const checking = this.retention.check().finally(() => {
      isOver = true;
    });
    for (let turns = 0; turns < 10_000; turns += 1) {
      await turn();
      if (isOver) return checking;
      this.rig.clock.fireNext();
    }
    throw new Error("the check does not end");
  }

  createTopic(name: string, configs: Record<string, string>, partitions = 1): Promise<TopicId> {
    const more = { "segment.bytes": "1048576", ...configs };
    return this.rig.createTopic(name, { partitions, configs: more });
  }

  async setConfig(name: string, key: string, value: string): Promise<void> {
    const outcome = await this.rig.cluster.setTopicConfigs(
      name,
      (before) => ({ ok: true, configs: new Map(before).set(key, value) }),
      "perform",
    );
    if (outcome.kind !== "done") throw new Error(JSON.stringify(outcome));
  }

  /** Appends one segment's worth: a record of this time. */
  async append(id: TopicId, timestamp: number, partition = 0): Promise<PartitionOwner> {
    const owner = await this.rig.partitions.open(id, partition);
    const value = new Uint8Array(batchPaddingBytes);
    const records = buildBatch([{ key: null, value, timestamp }], { crc32c });
    const result = await owner.append({ records, waitFor: "appended" });
    if (result.kind === "refused") throw new Error(result.reason);
    return owner;
  }

  /** Values of the families that retention has, by name and labels. */
  counted(): Readonly<Record<string, number>> {
    const lines = this.metrics.exposition().split("\n");
    const values = lines.filter((line) => line.startsWith("millrace_retention_"));
    return Object.fromEntries(
      values.map((line) => {
        const at = line.lastIndexOf(" ");
        return [line.slice("millrace_retention_".length, at), Number(line.slice(at + 1))];
      }),
    );
  }
}
