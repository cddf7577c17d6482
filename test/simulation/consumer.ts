import { ClientProcess, nameOf, type PartitionRef, type Scene } from "./client.ts";
import { fetchOnce, type Position } from "./fetching.ts";
import type { EndOffset } from "./history.ts";
import { ConnectionLost, type KafkaConnection } from "./kafka-connection.ts";
import { listOffset } from "./list-offset.ts";

/** A consumer that chooses its partitions itself, reads on and on, and seeks now and then. */
export class AssignedConsumer extends ClientProcess {
  readonly #version: number;
  #positions: Position[] = [];
  #stretches = 0;

  constructor(scene: Scene, name: string) {
    super(scene, name);
    this.#version = scene.world.between(4, 17);
  }

  async run(): Promise<void> {
    const { scene } = this;
    const { world } = scene;
    while (!scene.isEnding) {
      await this.connect();
      if (this.#positions.length === 0 || world.chance(20)) this.#assign();
      try {
        if (world.chance(50)) await this.#askForEnd();
        if (world.chance(50)) this.#seek();
        await this.#poll();
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
      }
      await this.sleep(world.between(20, 250));
    }
  }

  async #poll(): Promise<void> {
    if (this.#positions.length === 0) return;
    const { world } = this.scene;
    await fetchOnce(this, this.#positions, {
      version: this.#version,
      maxBytes: world.between(1, 6_000),
      maxWaitMs: world.between(0, 300),
    });
  }

  #assign(): void {
    const { world, cluster } = this.scene;
    this.#positions = cluster.partitions
      .filter(() => world.chance(700))
      .map((ref) => {
        const before = this.#positions.find((position) => nameOf(position.ref) === nameOf(ref));
        return before ?? { ref, next: 0, stretch: this.#newStretch() };
      });
  }

  #seek(): void {
    const { world } = this.scene;
    if (this.#positions.length === 0) return;
    const position = world.pick(this.#positions);
    position.next = world.below(position.next + 1);
    position.stretch = this.#newStretch();
  }

  #newStretch(): number {
    this.#stretches += 1;
    return this.#stretches;
  }

  async #askForEnd(): Promise<void> {
    const { world, cluster } = this.scene;
    if (cluster.partitions.length === 0) return;
    const ref = world.pick(cluster.partitions);
    const [found] = await this.byLeader([{ ref }]);
    const end = found && (await latestOffset(this, found.connection, ref));
    if (end === undefined) this.lostLeader(ref);
  }
}

/** What ListOffsets says is the end; undefined when it can't say now. */
export async function latestOffset(
  client: ClientProcess,
  connection: KafkaConnection,
  ref: PartitionRef,
): Promise<number | undefined> {
  const { history } = client.scene;
  const partition = nameOf(ref);
  const { address } = connection;
  const answeredBy = address === undefined ? {} : { answeredBy: address };
  const asked = history.begin<EndOffset>({
    ...{ kind: "endOffset", partition, offset: -1, ...answeredBy },
  });
  const found = await listOffset(connection, ref, -1n);
  if (found === undefined) {
    history.end(asked, "fail");
    return undefined;
  }
  asked.offset = found.offset;
  history.end(asked, "ok");
  return found.offset;
}
