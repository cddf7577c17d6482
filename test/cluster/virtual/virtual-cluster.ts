import { MemoryMetadataStore, MemoryObjectStore } from "@millrace/adapter-memory";
import { crc32c } from "@millrace/adapter-node";
import { keys, readFormat, readLeadership, readVersion } from "@millrace/core";
import { closeJournal } from "../../../broker-fargate/src/journal/objects/fence.ts";
import { journalLimits } from "../../../broker-fargate/src/journal/limits.ts";
import { ObjectAccess } from "../../../broker-fargate/src/tier/object-access.ts";
import { World } from "../../simulation/world.ts";
import { VirtualBroker } from "./virtual-broker.ts";

const pollMs = 50;
const balancedMsMax = 120_000;

/** Brokers of one cluster over stores as slow as AWS's are taken to be, on virtual time. */
export class VirtualCluster {
  readonly world: World;
  readonly brokers: VirtualBroker[] = [];
  readonly #metadata: MemoryMetadataStore;
  readonly #objects: MemoryObjectStore = new MemoryObjectStore();
  readonly #failures: string[] = [];

  constructor(seed: number) {
    this.world = new World({ seed, keepTrace: "digest" });
    this.#metadata = new MemoryMetadataStore({ clock: this.world.clock });
  }

  /** Something is not as it should be: the run ends. */
  readonly fail = (what: string): void => {
    this.#failures.push(what);
  };

  /** Runs it to its end, in virtual time; throws what it throws, and what failed meanwhile. */
  async run<Result>(script: () => Promise<Result>): Promise<Result> {
    let outcome: { readonly result: Result } | undefined;
    let cause: unknown;
    script().then(
      (result) => {
        outcome = { result };
      },
      (error: unknown) => {
        cause = error ?? new Error("it failed");
      },
    );
    const isDone = (): boolean => {
      return outcome !== undefined || cause !== undefined || this.#failures.length > 0;
    };
    const limits = { untilMs: Number.MAX_SAFE_INTEGER, afterEvent: () => undefined };
    await this.world.runUntil(isDone, limits);
    if (cause !== undefined) throw cause;
    if (this.#failures.length > 0) throw new Error(this.#failures.join("\n"));
    if (outcome === undefined) throw new Error("nothing is left to happen, and it has not ended");
    return outcome.result;
  }

  async join(): Promise<VirtualBroker> {
    const at = { world: this.world, fail: this.fail };
    const stores = { metadata: this.#metadata, objects: this.#objects };
    const broker = new VirtualBroker(this.brokers.length + 1, { ...at, stores });
    this.brokers.push(broker);
    await broker.start();
    return broker;
  }

  /** Resolves when every broker that runs knows of it. */
  async createTopic(name: string, partitionCount: number): Promise<void> {
    const request = { name, partitionCount, replicationFactor: 1, assignments: [], configs: [] };
    const [first] = this.brokers;
    const outcome = await first?.ask(({ cluster }) => cluster.createTopic(request, "perform"));
    if (outcome?.kind !== "done") throw new Error(`no topic: ${JSON.stringify(outcome)}`);
    const { version } = readVersion(await this.#metadata.get(keys.version));
    const hasSeen = async (broker: VirtualBroker): Promise<boolean> => {
      return broker.ask(({ cluster }) => (cluster.membership?.seenVersion ?? 0) >= version);
    };
    for (const broker of this.brokers) await this.until(() => hasSeen(broker));
  }

  /** Resolves when every slot is led, by all that run, as evenly as can be, and none is to move. */
  async balanced(): Promise<void> {
    await this.until(() => this.#isBalanced());
  }

  async until(isSo: () => boolean | Promise<boolean>): Promise<void> {
    const lateMs = this.world.nowMs + balancedMsMax;
    while (!(await isSo())) {
      if (this.world.nowMs > lateMs) throw new Error(`it is not so after ${balancedMsMax} ms`);
      await this.world.sleep(pollMs);
    }
  }

  /**
   * Somebody took the broker for dead, closed its journal, and died before leadership was written
   * (ownership rule 11 b to d): the broker lives, and its slots are nobody else's.
   */
  async fence({ incarnation }: VirtualBroker): Promise<void> {
    if (incarnation === undefined) throw new Error("it does not run");
    const { clock, random } = this.world;
    const access = { store: this.#metadata, clock, random };
    const objects = new ObjectAccess({ store: this.#objects, clock, random });
    const format = await this.#metadata.get(keys.format);
    if (format === undefined) throw new Error("there is no cluster");
    const found = readFormat(format);
    if (!found.ok) throw new Error(found.message);
    const cluster = found.format.clusterId;
    const deps = { access, objects, crc32c, cluster, limits: journalLimits };
    await closeJournal(deps, { incarnation, durable: 0 });
  }

  async #isBalanced(): Promise<boolean> {
    const running = this.brokers.filter(({ isUp }) => isUp);
    const slots = await running[0]?.ask(({ cluster }) => cluster.slots);
    const item = await this.#metadata.get(keys.leadership);
    if (item === undefined || slots === undefined) return false;
    const { leaders, moves } = readLeadership(item, slots);
    const counts = running.map(({ incarnation }) => {
      return leaders.filter((leader) => leader?.incarnation === incarnation).length;
    });
    const sum = counts.reduce((all, count) => all + count, 0);
    return moves.length === 0 && sum === slots && Math.max(...counts) - Math.min(...counts) <= 1;
  }
}
