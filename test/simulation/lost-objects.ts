import { readJournalItem } from "@millrace/core";
import { crc32c, decodeFence } from "@millrace/wire";
import type { BrokerHost } from "./broker-host.ts";
import type { Fleet } from "./fleet.ts";
import type { World } from "./world.ts";

/** How long after an object is back somebody may still say that it was lost. */
const echoMs = 3_000;

/**
 * An object that a journal still needs is lost as its owner dies: who takes over must say so, and
 * take no silent end for the journal's. Some time later it is back, as from a versioned bucket.
 */
export class LostObjects {
  readonly #world: World;
  readonly #fleet: Fleet;
  #found = 0;
  #isLost = false;

  constructor(world: World, fleet: Fleet) {
    this.#world = world;
    this.#fleet = fleet;
  }

  /** Of a broker that is up. One at a time. */
  loseOf(host: BrokerHost): void {
    const { hosts, table } = this.#fleet;
    const world = this.#world;
    const key = this.#isLost || host.state !== "up" ? undefined : this.#pick(host);
    if (key === undefined) return;
    this.#isLost = true;
    world.trace.add(`${key} is lost`);
    table.add("journal object lost", host.state);
    for (const one of hosts) {
      one.objects.lose(key);
      one.mayMissRecords = true;
    }
    host.kill("kill");
    const found = this.#found;
    world.clock.after(world.between(5_000, 20_000), () => {
      if (this.#found === found) this.find();
    });
  }

  /** It is there again. */
  find(): void {
    if (!this.#isLost) return;
    this.#isLost = false;
    this.#found += 1;
    const found = this.#found;
    for (const one of this.#fleet.hosts) one.objects.findLost();
    this.#world.clock.after(echoMs, () => {
      if (this.#isLost || this.#found !== found) return;
      for (const one of this.#fleet.hosts) one.mayMissRecords = false;
    });
  }

  /** One that its trim has not passed, and that is no fence. */
  #pick(host: BrokerHost): string | undefined {
    const { memoryObjects, memoryStore } = this.#fleet.outside;
    const journals = memoryStore
      .items()
      .filter(({ key, value }) => key.startsWith("incarnation/") && value["state"] === "open")
      .filter(({ value }) => value["broker"] === host.brokerId)
      .map(readJournalItem);
    const keys = memoryObjects.keys.filter((key) => {
      const [, kind, incarnation, seq] = key.split("/");
      const journal = journals.find((one) => one.incarnation === incarnation);
      return kind === "journal" && journal !== undefined && Number(seq) >= journal.trim;
    });
    const objects = keys.filter((key) => {
      const bytes = memoryObjects.bytesOf(key);
      return bytes !== undefined && decodeFence(bytes, crc32c).kind === "invalid";
    });
    return objects.length === 0 ? undefined : this.#world.pick(objects);
  }
}
