import type { SupportedVersions } from "@millrace/core";
import { Admin } from "./admin.ts";
import type { BrokerHost } from "./broker-host.ts";
import type { Scene } from "./client.ts";
import type { Fleet } from "./fleet.ts";

/** Levels of `millrace.version` that brokers support before the upgrade. */
const formerVersions: SupportedVersions = { min: 1, max: 1 };
const newLevel = 2;

/**
 * A cluster of the version before, whose brokers become the present one's one after another, while
 * everything goes on; when nobody is left of the former version, the new level is finalised.
 */
export class RollingUpgrade {
  readonly #scene: Scene;
  readonly #fleet: Fleet;
  readonly #admin: Admin;

  constructor(scene: Scene, fleet: Fleet) {
    this.#scene = scene;
    this.#fleet = fleet;
    this.#admin = new Admin(scene, "upgrader");
    for (const host of fleet.hosts) host.versions = formerVersions;
  }

  async run(): Promise<void> {
    const { host, world } = this.#scene;
    for (const broker of this.#fleet.hosts) {
      await world.sleep(world.between(2_000, 15_000));
      broker.versions = undefined;
      host.table.add("upgrade", broker.state);
      await this.#restarted(broker);
    }
    await world.sleep(world.between(500, 5_000));
    await this.#admin.finalise(newLevel);
    host.table.add("upgrade", "level finalised");
  }

  /** Whatever else happens to it meanwhile. */
  async #restarted(broker: BrokerHost): Promise<void> {
    const { world } = this.#scene;
    const { starts } = broker;
    const isDown = (): boolean => broker.state === "down";
    while (broker.starts === starts && !isDown()) {
      broker.stop();
      await world.sleep(world.between(200, 1_000));
    }
  }
}
