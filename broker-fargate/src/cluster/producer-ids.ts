import { assert, keys, UnreadableItemError } from "@millrace/core";
import { read, type StoreAccess, transact } from "./persist.ts";

/** How many ids one write reserves; those not given out before a stop are never given out. */
export const producerIdBlockSize = 1000;

/** Producer ids, unique over the cluster's whole life, reserved durably in blocks (KIP-730). */
export class ProducerIdBlocks {
  readonly #access: StoreAccess;
  #next = 0;
  #end = 0;
  #reserving: Promise<void> | undefined;

  constructor(access: StoreAccess) {
    this.#access = access;
  }

  /** A producer id that was never given before. Throws MetadataError when none can be reserved. */
  async allocate(): Promise<number> {
    while (this.#next === this.#end) {
      this.#reserving ??= this.#reserve().finally(() => {
        this.#reserving = undefined;
      });
      await this.#reserving;
    }
    const id = this.#next;
    this.#next += 1;
    return id;
  }

  async #reserve(): Promise<void> {
    for (;;) {
      const item = await read(this.#access, keys.producerIds);
      const start = item === undefined ? 0 : item.value["next"];
      if (typeof start !== "number") throw new UnreadableItemError(keys.producerIds, "no next");
      const end = start + producerIdBlockSize;
      assert(Number.isSafeInteger(end), "producer ids are used up");
      const condition =
        item === undefined
          ? ({ is: "absent" } as const)
          : ({ is: "version", version: item.version } as const);
      const write = {
        kind: "put",
        key: keys.producerIds,
        value: { next: end },
        condition,
      } as const;
      // A reply that was lost only wastes its block: the next one begins behind it.
      const outcome = await transact(this.#access, [write], () => false);
      if (!outcome.ok) continue;
      this.#next = start;
      this.#end = end;
      return;
    }
  }
}
