import { ClientProcess, nameOf, type PartitionRef } from "./client.ts";
import { latestOffset } from "./consumer.ts";
import { fetchOnce, type Position } from "./fetching.ts";
import type { PolledRecord, FullRead } from "./history.ts";
import { ConnectionLost } from "./kafka-connection.ts";
import { listOffset } from "./list-offset.ts";
import { fullReadMsMax } from "./topics.ts";

/** When nothing came so often in a row, what was at the end counts as compacted away. */
const emptyAnswersMax = 100;

export interface FullReadRules {
  readonly isOver: () => boolean;
  /** Nobody writes any more, and no store is away. */
  readonly isQuiet: boolean;
}

/** Reads compacted partitions again and again, each time from its start to its end. */
export class FullReader extends ClientProcess {
  #stretches = 0;

  async run(): Promise<void> {
    const { scene } = this;
    const { cluster, world } = scene;
    while (!scene.isEnding) {
      // Also while the others rest: compaction goes on.
      const isResting = scene.restsUntilMs > world.nowMs;
      const waitMs = world.between(200, 2_500) * (isResting ? 2 : 1);
      await new Promise<void>((resolve) => this.clock.after(waitMs, resolve));
      if (cluster.compacted.length === 0 || scene.isEnding) continue;
      const giveUpMs = this.clock.monotonicMs() + fullReadMsMax;
      await this.readFully(world.pick(cluster.compacted), {
        isOver: () => scene.isEnding || this.clock.monotonicMs() > giveUpMs,
        isQuiet: false,
      });
    }
  }

  /** One of them; whether it came to the end. */
  async readFully(ref: PartitionRef, { isOver, isQuiet }: FullReadRules): Promise<boolean> {
    const { history } = this.scene;
    const seen: PolledRecord[] = [];
    const fullRead = history.begin<FullRead>({
      ...{ kind: "fullRead", consumer: this.name, partition: nameOf(ref), to: 0 },
      ...{ isTimely: false, isQuiet, records: seen },
    });
    const isTimely = this.#stopwatch();
    const range = await this.#range(ref, isOver);
    if (range === undefined) return false;
    this.#stretches += 1;
    fullRead.to = range.to;
    const position: Position = { ref, next: range.from, stretch: this.#stretches, seen };
    while (position.next < range.to) {
      if (isOver()) return false;
      if (isQuiet && (position.emptyAnswers ?? 0) >= emptyAnswersMax) break;
      await this.#fetch(position);
    }
    fullRead.isTimely = isTimely();
    history.end(fullRead, "ok");
    return true;
  }

  async #range(
    ref: PartitionRef,
    isOver: () => boolean,
  ): Promise<{ readonly from: number; readonly to: number } | undefined> {
    while (!isOver()) {
      const end = await this.askLeader(ref, (connection) => latestOffset(this, connection, ref));
      const start = await this.askLeader(ref, (connection) => listOffset(connection, ref, -2n));
      if (end !== undefined && start !== undefined) return { from: start.offset, to: end };
      await this.sleep(100);
    }
    return undefined;
  }

  async #fetch(position: Position): Promise<void> {
    const { world } = this.scene;
    const rules = { version: 12, maxBytes: world.between(1, 20_000), maxWaitMs: 0 };
    const before = position.next;
    try {
      await this.connect();
      await fetchOnce(this, [position], rules);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    }
    if (position.next === before) await this.sleep(50);
  }

  /** Whether less time than a full read may take has passed since, by both clocks. */
  #stopwatch(): () => boolean {
    const { clock } = this;
    const [beganMs, wallMs] = [clock.monotonicMs(), clock.wallMs()];
    return () => {
      const tookMs = clock.monotonicMs() - beganMs;
      return tookMs <= fullReadMsMax && clock.wallMs() - wallMs === tookMs;
    };
  }
}
