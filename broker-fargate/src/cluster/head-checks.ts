import { type Head, keys, readHead, type Slot } from "@millrace/core";
import { read, type StoreAccess } from "./persist.ts";

/**
 * Strong reads of heads that begin after the call that asks for them. Who asks for a slot while a
 * read of it is under way shares the next one with all who do.
 */
export class HeadChecks {
  readonly #access: StoreAccess;
  /** The read that is under way, by slot. */
  readonly #reading = new Map<Slot, Promise<Head | undefined>>();
  /** The one that has not begun yet. */
  readonly #next = new Map<Slot, Promise<Head | undefined>>();

  constructor(access: StoreAccess) {
    this.#access = access;
  }

  /** Undefined: there is no head. Rejects with MetadataError. */
  headOf(slot: Slot): Promise<Head | undefined> {
    const waiting = this.#next.get(slot);
    if (waiting !== undefined) return waiting;
    const before = this.#reading.get(slot) ?? Promise.resolve();
    const begin = (): Promise<Head | undefined> => {
      this.#next.delete(slot);
      const reading = this.#read(slot).finally(() => {
        if (this.#reading.get(slot) === reading) this.#reading.delete(slot);
      });
      this.#reading.set(slot, reading);
      return reading;
    };
    const next = before.then(begin, begin);
    this.#next.set(slot, next);
    return next;
  }

  async #read(slot: Slot): Promise<Head | undefined> {
    const item = await read(this.#access, keys.head(slot));
    return item === undefined ? undefined : readHead(item);
  }
}
