/** Who leads how many slots, and who is the controller, read from a cluster's metadata. */
import { HostedMetadataStore, SystemClock, SystemRandom } from "@millrace/adapter-node";
import {
  keys,
  MetadataError,
  type MetadataStore,
  readFormat,
  readLeadership,
} from "@millrace/core";
import type { StoreAddress } from "./cluster-options.ts";

export interface LedSlots {
  /** Of the cluster. */
  readonly slots: number;
  /** By broker id; who leads none is not there. */
  readonly led: ReadonlyMap<number, number>;
  readonly controller: number | undefined;
  /** Slots that are still to be moved. */
  readonly moving: number;
}

export class SlotReader {
  readonly #store: MetadataStore;

  constructor(store: MetadataStore) {
    this.#store = store;
  }

  /** Undefined: the store does not answer, or the cluster has not begun. */
  async read(): Promise<LedSlots | undefined> {
    try {
      const [format, item] = await Promise.all([
        this.#store.get(keys.format),
        this.#store.get(keys.leadership),
      ]);
      const found = format === undefined ? undefined : readFormat(format);
      if (item === undefined || found?.ok !== true) return undefined;
      const leadership = readLeadership(item, found.format.slots);
      const led = new Map<number, number>();
      let controller: number | undefined;
      for (const leader of leadership.leaders) {
        if (leader === undefined) continue;
        led.set(leader.brokerId, (led.get(leader.brokerId) ?? 0) + 1);
        if (leader.incarnation === leadership.controller) controller = leader.brokerId;
      }
      const moving = leadership.moves.reduce((sum, { slots }) => sum + slots.length, 0);
      return { slots: found.format.slots, led, controller, moving };
    } catch (error) {
      if (error instanceof MetadataError) return undefined;
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

/** `socketPath`: of the process that hosts the metadata, where no other place is named. */
export async function openSlotReader(
  metadata: StoreAddress | undefined,
  socketPath: string,
): Promise<SlotReader> {
  const [clock, random] = [new SystemClock(), new SystemRandom()];
  if (metadata === undefined) {
    return new SlotReader(new HostedMetadataStore({ socketPath, clock, random }));
  }
  const { DynamoDbMetadataStore } = await import("@millrace/adapter-aws");
  const { endpoint, region, uri } = metadata;
  const store = await DynamoDbMetadataStore.open({
    ...{ clock, random, table: uri.slice("dynamodb://".length) },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
  });
  return new SlotReader(store);
}
