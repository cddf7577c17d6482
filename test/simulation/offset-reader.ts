import { ClientProcess, type Scene } from "./client.ts";
import { committedOffsets } from "./group-member.ts";
import { ConnectionLost } from "./kafka-connection.ts";

/**
 * Asks again and again what a group has committed. It stays with the coordinator that it knows until
 * that one says that it is it no more, also where it does not answer for a while: if it answers then,
 * it must not answer from a memory that others have gone past.
 */
export class OffsetReader extends ClientProcess {
  readonly #group: string;

  constructor(scene: Scene, options: { readonly name: string; readonly group: string }) {
    super(scene, options.name);
    this.#group = options.group;
  }

  async run(): Promise<void> {
    const { scene } = this;
    const { cluster, world } = scene;
    while (!scene.isEnding) {
      await this.sleep(world.between(50, 400));
      const of = { group: this.#group, refs: cluster.partitions };
      if (of.refs.length === 0) continue;
      try {
        const connection = await this.coordinatorOf(this.#group);
        const offsets = await committedOffsets(this, connection, of);
        if (offsets === undefined) this.lostCoordinator(this.#group);
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
      }
    }
  }
}
