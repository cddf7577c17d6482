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
import { FencedError } from "../../cluster/slot-claims.ts";
import { read, readAll, transact } from "../../cluster/persist.ts";
import type { StoreAccess } from "../../cluster/persist.ts";

/** A former incarnation whose journal may hold what no segment has. */
export interface OpenJournal {
  readonly incarnation: IncarnationId;
  readonly trim: number;
  /** A later life has it in the logs, durably, and has written to them since. */
  readonly isReplayed: boolean;
  /** Partitions, as `{topic id}-{partition}`, of which that does not hold: they were offline. */
  readonly unreplayed: ReadonlySet<string>;
}

/**
 * The journal part of an incarnation's item: {state: open | closed, trim, replayed, unreplayed}. All
 * but the state changes only on condition that the state is open (ownership rule 3).
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
      const isReplayed = item.value["replayed"] === true;
      const unreplayed = unreplayedOf(item);
      open.push({ incarnation, trim: trimOf(item), isReplayed, unreplayed });
    }
    return open.sort((a, b) => counterOf(a.incarnation) - counterOf(b.incarnation));
  }

  /** Throws FencedError when the incarnation is over, MetadataError when the store fails. */
  recordTrim(incarnation: IncarnationId, trim: number): Promise<void> {
    return this.#change(incarnation, (value) => ({ ...value, trim }));
  }

  /** Names the newest checkpoint of its packs, which lead to all older ones. Throws likewise. */
  recordCheckpoint(
    incarnation: IncarnationId,
    checkpoint: { readonly number: number; readonly bytes: number },
  ): Promise<void> {
    const { bytes, number } = checkpoint;
    return this.#change(incarnation, (value) => ({ ...value, checkpoint: { bytes, number } }));
  }

  /**
   * Everything of its journal lies durably in segments, and it is kept nevertheless. From now on
   * the segments may hold what no journal tells: it gives what they lack, and never cuts them. But
   * for the partitions that could not be replayed, which have got nothing since.
   */
  markReplayed(incarnation: IncarnationId, unreplayed: readonly string[]): Promise<void> {
    return this.#change(incarnation, (value) => {
      const marked = { ...value, replayed: true };
      const wasNone = value["unreplayed"] === undefined;
      return wasNone && unreplayed.length === 0 ? marked : { ...marked, unreplayed };
    });
  }

  /** Everything of its journal lies durably in segments. */
  close(incarnation: IncarnationId): Promise<void> {
    return this.#change(incarnation, (value) => ({ ...value, state: "closed" }));
  }

  /**
   * Deletes the items of closed incarnations that no slot's head names: such a head would be taken
   * for one whose owner is unknown (ownership rule 8). Those with checkpoints are the janitor's.
   * Does nothing until more than `keptMax` have come together, since every head has to be read.
   */
  async forgetClosed(options: { readonly slots: number; readonly keptMax: number }): Promise<void> {
    const closed = await this.#closed("withoutCheckpoint");
    if (closed.size <= options.keptMax) return;
    const unnamed = await this.#withoutNamed(closed, options.slots);
    const deletions = [...unnamed].map(
      (id): Write => ({ kind: "delete", key: keys.incarnation(id) }),
    );
    for (let from = 0; from < deletions.length; from += transactWritesMax) {
      const some = deletions.slice(from, from + transactWritesMax);
      await transact(this.#access, some, () => true);
    }
  }

  /** Closed incarnations with checkpoints that no slot's head names: nobody needs these. */
  async listUnnamed(slots: number): Promise<readonly IncarnationId[]> {
    const closed = await this.#closed("withCheckpoint");
    if (closed.size === 0) return [];
    return [...(await this.#withoutNamed(closed, slots))];
  }

  /** All closed incarnations that no slot's head names, with checkpoints or without. */
  async listOver(slots: number): Promise<readonly IncarnationId[]> {
    const checkpointed = await this.#closed("withCheckpoint");
    const others = await this.#closed("withoutCheckpoint");
    return [...(await this.#withoutNamed(new Set([...checkpointed, ...others]), slots))];
  }

  /** Those of them that are closed, or forgotten, and that no slot's head names. */
  async unnamedOf(
    incarnations: Iterable<IncarnationId>,
    slots: number,
  ): Promise<ReadonlySet<IncarnationId>> {
    const over = new Set<IncarnationId>();
    for (const incarnation of incarnations) {
      const item = await read(this.#access, keys.incarnation(incarnation));
      if (item === undefined || item.value["state"] === "closed") over.add(incarnation);
    }
    return this.#withoutNamed(over, slots);
  }

  /** The incarnation left nothing. */
  async forget(incarnation: IncarnationId): Promise<void> {
    const write: Write = { kind: "delete", key: keys.incarnation(incarnation) };
    await transact(this.#access, [write], () => true);
  }

  async #closed(which: "withCheckpoint" | "withoutCheckpoint"): Promise<Set<IncarnationId>> {
    const closed = new Set<IncarnationId>();
    for await (const item of this.#all()) {
      const { checkpoint, state } = item.value;
      const isAsked = (checkpoint !== undefined) === (which === "withCheckpoint");
      if (state === "closed" && isAsked) closed.add(incarnationOf(item));
    }
    return closed;
  }

  /** After closing, the heads that name an incarnation only get fewer: they may be read one by one. */
  async #withoutNamed(
    closed: ReadonlySet<IncarnationId>,
    slots: number,
  ): Promise<ReadonlySet<IncarnationId>> {
    const unnamed = new Set(closed);
    for (let number = 0; number < slots && unnamed.size > 0; number += 1) {
      const item = await read(this.#access, keys.head(slot(number)));
      if (item === undefined) continue;
      const { owner, sources } = readHead(item);
      if (owner !== undefined) unnamed.delete(owner);
      for (const { incarnation } of sources) unnamed.delete(incarnation);
    }
    return unnamed;
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

function unreplayedOf({ value: { unreplayed = [] } }: Item): ReadonlySet<string> {
  assert(Array.isArray(unreplayed), "partitions that could not be replayed are a list");
  return new Set((unreplayed as readonly unknown[]).map(String));
}

function counterOf(incarnation: IncarnationId): number {
  return Number(incarnation.slice(0, incarnation.indexOf("-")));
}
