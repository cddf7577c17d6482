import { ErrorCode } from "@millrace/wire";
import type { TopicId } from "@millrace/core";
import type { PartitionOwner } from "../../broker-fargate/src/partition/owner.ts";
import { smallTierLimits } from "./small-limits.ts";
import type { BrokerHost } from "./broker-host.ts";
import { ClientProcess, nameOf, type PartitionRef, type Scene } from "./client.ts";
import { fetchCode } from "./fetching.ts";
import { ConnectionLost } from "./kafka-connection.ts";
import { takeCensus } from "./named-objects.ts";
import type { Nemesis } from "./nemesis.ts";

const settleMs = 3 * (smallTierLimits.checkpointDueMs + smallTierLimits.sweepEveryMs);
const triesMax = 200;

/**
 * After the drain: a lost object below the cold end is answered with an error, not with the end of
 * the log, and is read when it is back. And when all has settled, the object store has what is named
 * and nothing else.
 */
export class LastLook extends ClientProcess {
  readonly #nemesis: Nemesis;
  readonly #broker: BrokerHost;

  constructor(scene: Scene, nemesis: Nemesis) {
    super(scene, "last-look");
    this.#nemesis = nemesis;
    this.#broker = nemesis.deps.host;
  }

  async run(): Promise<void> {
    // What was read is in the broker's cache.
    this.#nemesis.kill();
    const owner = await this.#coldPartition();
    if (owner !== undefined) await this.#loseAndFind(owner.ref, owner.object);
    await this.sleep(settleMs);
    const { missing, unnamed } = await takeCensus(this.#broker);
    for (const object of missing) this.host.note(`named, and not there: ${object}`);
    for (const object of unnamed) this.host.note(`there, and not named: ${object}`);
  }

  /** A partition whose first records are in the object store alone. */
  async #coldPartition(): Promise<
    { readonly ref: PartitionRef; readonly object: string } | undefined
  > {
    const { cluster } = this.scene;
    for (const ref of cluster.tiered) {
      // Retention may delete the object while it is lost.
      if (cluster.find(ref.topic)?.deletion === "retention") continue;
      // And compaction may put another object in its place, or say that it can't.
      if (cluster.keysOf(ref) === "keyed") continue;
      const owner = await this.#load(ref);
      if (owner === undefined || owner.earliestLocalOffset <= owner.logStartOffset) continue;
      const part = owner.tiered?.cold.find(owner.logStartOffset);
      if (part !== undefined) return { ref, object: part.object };
    }
    return undefined;
  }

  /** A fetch at its end loads it. */
  async #load(ref: PartitionRef): Promise<PartitionOwner | undefined> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const owner = this.#find(ref);
      if (owner !== undefined) return owner;
      await this.#fetch(ref, Number.MAX_SAFE_INTEGER);
      await this.sleep(50);
    }
    return undefined;
  }

  #find(ref: PartitionRef): PartitionOwner | undefined {
    return this.#broker.opened?.broker.partitions.find(ref.topicId as TopicId, ref.partition);
  }

  async #loseAndFind(ref: PartitionRef, object: string): Promise<void> {
    const host = this.#broker;
    const start = this.#find(ref)?.logStartOffset ?? 0;
    host.objects.lose(object);
    const lost = await this.#fetchUntilAnswered(ref, start);
    if (lost === "records") host.note(`${nameOf(ref)}: ${object} is lost, and was read`);
    if (lost === "nothing") host.note(`${nameOf(ref)}: ${object} is lost, and no error says so`);
    host.table.add("object lost", lost);
    host.objects.findLost();
    for (let tries = 0; tries < triesMax; tries += 1) {
      if ((await this.#fetch(ref, start)) === "records") return;
      await this.sleep(100);
    }
    host.note(`${nameOf(ref)}: ${object} is back, and is not read`);
  }

  /** A first answer may be that there is nothing yet: it is being fetched. */
  async #fetchUntilAnswered(ref: PartitionRef, from: number): Promise<FetchAnswer> {
    let answer: FetchAnswer = "nothing";
    for (let tries = 0; tries < 5 && answer === "nothing"; tries += 1) {
      answer = await this.#fetch(ref, from);
    }
    return answer;
  }

  async #fetch(ref: PartitionRef, from: number): Promise<FetchAnswer> {
    for (;;) {
      const connection = await this.connect();
      try {
        const { bytes, errorCode } = await fetchCode(connection, ref, from);
        if (errorCode !== ErrorCode.NONE) return "error";
        return bytes > 0 ? "records" : "nothing";
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
      }
    }
  }
}

type FetchAnswer = "error" | "records" | "nothing";
