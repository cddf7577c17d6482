import {
  assert,
  incarnationId,
  keys,
  keysUnder,
  readHead,
  slot,
  transactWritesMax,
} from "@millrace/core";
import type { IncarnationId, Item, ItemValue, Write } from "@millrace/core";
import { FencedError } from "../cluster/slot-claims.ts";
import { read, readAll, transact } from "../cluster/persist.ts";
import type { StoreAccess } from "../cluster/persist.ts";

/** A former incarnation whose journal may hold what no segment has. */
export interface OpenJournal {
  readonly incarnation: IncarnationId;
  readonly trim: number;
}

/**
 * The journal part of an incarnation's item: {state: open | closed, trim}. All but the state
 * changes only on condition that the state is open (ownership rule 3).
 */
export class JournalItems {
  readonly #access: StoreAccess;

  constructor(access: StoreAccess) {
    this.#access = access;
  }

  /** The incarnations before `own` that are not closed, oldest first. */
  async listOpen(own: IncarnationId): Promise<readonly OpenJournal[]> {
    const open: OpenJournal[] = [];
    for await (const item of this.#all()) {
      const incarnation = incarnationOf(item);
      if (incarnation === own || item.value["state"] === "closed") continue;
      open.push({ incarnation, trim: trimOf(item) });
    }
    return open.sort((a, b) => counterOf(a.incarnation) - counterOf(b.incarnation));
  }

  /** Throws FencedError when the incarnation is over, MetadataError when the store fails. */
  recordTrim(incarnation: IncarnationId, trim: number): Promise<void> {
    return this.#change(incarnation, (value) => ({ ...value, trim }));
  }

  /** Everything of its journal lies durably in segments. */
  close(incarnation: IncarnationId): Promise<void> {
    return this.#change(incarnation, (value) => ({ ...value, state: "closed" }));
  }

  /**
   * Deletes the items of closed incarnations that no slot's head names: such a head would be taken
   * for one whose owner is unknown (ownership rule 8). Does nothing until more than `keptMax` have
   * come together, since every head has to be read for it.
   */
  async forgetClosed(options: { readonly slots: number; readonly keptMax: number }): Promise<void> {
    const closed = new Map<IncarnationId, Write>();
    for await (const item of this.#all()) {
      if (item.value["state"] !== "closed") continue;
      closed.set(incarnationOf(item), { kind: "delete", key: item.key });
    }
    if (closed.size <= options.keptMax) return;
    for (let number = 0; number < options.slots; number += 1) {
      const item = await read(this.#access, keys.head(slot(number)));
      if (item === undefined) continue;
      const { owner, sources } = readHead(item);
      if (owner !== undefined) closed.delete(owner);
      for (const { incarnation } of sources) closed.delete(incarnation);
    }
    const deletions = [...closed.values()];
    for (let from = 0; from < deletions.length; from += transactWritesMax) {
      const some = deletions.slice(from, from + transactWritesMax);
      await transact(this.#access, some, () => true);
    }
  }

  #all(): AsyncIterable<Item> {
    return readAll(this.#access, keysUnder("incarnation", pageItems));
  }

  async #change(
    incarnation: IncarnationId,
    change: (value: ItemValue) => ItemValue,
  ): Promise<void> {
    const key = keys.incarnation(incarnation);
    for (;;) {
      const item = await read(this.#access, key);
      if (item === undefined || item.value["state"] !== "open") {
        throw new FencedError(`incarnation ${incarnation} is over`);
      }
      const condition = { is: "version", version: item.version } as const;
      const write = { kind: "put", key, value: change(item.value), condition } as const;
      const wanted = JSON.stringify(write.value);
      const isMine = (refusals: readonly { readonly found: Item | undefined }[]): boolean =>
        JSON.stringify(refusals[0]?.found?.value) === wanted;
      const outcome = await transact(this.#access, [write], isMine);
      if (outcome.ok) return;
    }
  }
}

const pageItems = 1000;

function incarnationOf({ key }: Item): IncarnationId {
  return incarnationId(key.slice("incarnation/".length));
}

function trimOf(item: Item): number {
  const trim = item.value["trim"];
  assert(typeof trim === "number", "an incarnation's item has a trim");
  return trim;
}

function counterOf(incarnation: IncarnationId): number {
  return Number(incarnation.slice(0, incarnation.indexOf("-")));
}
