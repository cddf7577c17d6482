import { assert, incarnationId, keys, keysUnder } from "@millrace/core";
import type { IncarnationId, Item, ItemValue } from "@millrace/core";
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
    for await (const item of readAll(this.#access, keysUnder("incarnation", pageItems))) {
      const incarnation = incarnationId(item.key.slice("incarnation/".length));
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

function trimOf(item: Item): number {
  const trim = item.value["trim"];
  assert(typeof trim === "number", "an incarnation's item has a trim");
  return trim;
}

function counterOf(incarnation: IncarnationId): number {
  return Number(incarnation.slice(0, incarnation.indexOf("-")));
}
