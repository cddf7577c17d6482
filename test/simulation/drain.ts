import { ErrorCode } from "@millrace/wire";
import { ClientProcess, nameOf, type PartitionRef, type Scene } from "./client.ts";
import { latestOffset } from "./consumer.ts";
import { fetchOnce, type Position } from "./fetching.ts";
import { committedOffsets } from "./group-member.ts";
import { ConnectionLost } from "./kafka-connection.ts";
import { listOffset } from "./list-offset.ts";
import { FullReader, type FullReadRules } from "./full-reader.ts";

const seeksPerPartition = 4;
const fetchBytes = 20_000;
const fullReadRules: FullReadRules = { isOver: () => false, isQuiet: true };
/** More than all jumps of a run's wall clock together. */
const clockJumpsMsMax = 365 * 86_400_000;

/**
 * The last client: reads every partition from its beginning to its end, then from places in the
 * middle, and asks what every group has committed.
 */
export class Drain extends ClientProcess {
  readonly #fullReader: FullReader;
  #stretches = 0;

  constructor(scene: Scene) {
    super(scene, "drain");
    this.#fullReader = new FullReader(scene, "drain of keys");
  }

  async run(groups: readonly string[]): Promise<void> {
    const { cluster, world } = this.scene;
    for (const ref of cluster.partitions) {
      const end = await this.#endOf(ref);
      const start = await this.#startOf(ref);
      if (cluster.keysOf(ref) === "keyed") {
        // A second one shows whether something comes back that the first one did not see.
        await this.#fullReader.readFully(ref, fullReadRules);
        await this.#fullReader.readFully(ref, fullReadRules);
        if (cluster.find(ref.topic)?.deletion !== "retention") await this.#checkTimes(ref, end);
        continue;
      }
      await this.#read(ref, { from: start, to: end });
      const seeks = end === start ? 0 : seeksPerPartition;
      for (let seek = 0; seek < seeks; seek += 1) {
        const from = world.between(start, end - 1);
        await this.#read(ref, { from, to: from + 1 });
      }
      if (cluster.find(ref.topic)?.deletion !== "retention") await this.#checkTimes(ref, end);
    }
    for (const group of groups) await this.#committed(group);
  }

  async #endOf(ref: PartitionRef): Promise<number> {
    for (;;) {
      const end = await this.askLeader(ref, (connection) => latestOffset(this, connection, ref));
      if (end !== undefined) return end;
      await this.sleep(100);
    }
  }

  async #startOf(ref: PartitionRef): Promise<number> {
    for (;;) {
      const found = await this.askLeader(ref, (connection) => listOffset(connection, ref, -2n));
      if (found !== undefined) return found.offset;
      await this.sleep(100);
    }
  }

  async #read(
    ref: PartitionRef,
    range: { readonly from: number; readonly to: number },
  ): Promise<void> {
    this.#stretches += 1;
    const position: Position = { ref, next: range.from, stretch: this.#stretches };
    const rules = { version: 12, maxBytes: fetchBytes, maxWaitMs: 0 };
    while (position.next < range.to) {
      await this.connect();
      try {
        const count = await fetchOnce(this, [position], rules);
        if (count === 0) await this.sleep(50);
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
      }
    }
  }

  /** The end by time: nothing is later than the latest record; the first is at the beginning. */
  async #checkTimes(ref: PartitionRef, end: number): Promise<void> {
    const start = await this.#startOf(ref);
    if (end === start) return;
    const first = await this.askLeader(ref, (connection) => listOffset(connection, ref, 0n));
    const isCompacted = this.scene.cluster.keysOf(ref) === "keyed";
    const isFirst = isCompacted ? (first?.offset ?? -1) >= start : first?.offset === start;
    if (!isFirst) {
      const found = first?.offset ?? "refused";
      this.host.note(`${nameOf(ref)}: the first record by time is ${found}, the start ${start}`);
    }
    const afterAll = BigInt(this.clock.wallMs() + clockJumpsMsMax);
    const none = await this.askLeader(ref, (connection) => listOffset(connection, ref, afterAll));
    if (none?.offset !== -1) {
      this.host.note(`${nameOf(ref)}: after now comes ${none?.offset ?? ErrorCode.NONE}`);
    }
  }

  async #committed(group: string): Promise<void> {
    const refs = this.scene.cluster.partitions;
    for (;;) {
      const of = { group, refs };
      try {
        const connection = await this.coordinatorOf(group);
        if ((await committedOffsets(this, connection, of)) !== undefined) return;
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
      }
      this.lostCoordinator(group);
      await this.sleep(100);
    }
  }
}
