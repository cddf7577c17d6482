import {
  type IncarnationId,
  type Item,
  keys,
  MetadataError,
  type TransactOutcome,
  type Write,
} from "@millrace/core";
import { type Guard, GuardedWrites } from "./guarded-writes.ts";
import type { Refused, StoreAccess } from "./persist.ts";

/**
 * Changes of what no slot owns, topics and users, by one incarnation: guarded by its own item, so
 * that none takes effect late, after another of this incarnation or after its end. A name may come
 * back, and its item then begins with version 1 again: by its condition alone a late change of the
 * former one would fit.
 *
 * The other brokers can't refuse it: as long as a change may come yet, `seenUpTo` says that this
 * broker has not seen what came after its beginning, so that the note of a topic's deletion stays,
 * which keeps it out.
 */
export class OwnWrites {
  readonly #guarded: GuardedWrites;
  readonly #guard: Guard;
  readonly #version: () => number;
  /** The versions at which changes began that are under way. */
  readonly #begun = new Set<{ readonly at: number }>();
  /** That of the first one that failed, and may take effect yet. */
  #failedAt = Number.POSITIVE_INFINITY;

  /** `version`: up to which this broker follows what others change. */
  constructor(access: StoreAccess, incarnation: IncarnationId, version: () => number) {
    this.#version = version;
    this.#guarded = new GuardedWrites(access);
    const allows = (item: Item | undefined): boolean => item?.value["state"] === "open";
    this.#guard = { key: keys.incarnation(incarnation), allows };
  }

  /** No change that began at an earlier version can take effect any more. */
  get seenUpTo(): number {
    return Math.min(this.#version(), this.#failedAt, ...[...this.#begun].map(({ at }) => at));
  }

  /** As `transact` of persist; throws MetadataError also where this incarnation is over. */
  async transact(
    writes: readonly Write[],
    isMine: (refused: Refused) => boolean | Promise<boolean>,
  ): Promise<TransactOutcome> {
    const begun = { at: this.#version() };
    this.#begun.add(begun);
    try {
      const outcome = await this.#guarded.transact([this.#guard], writes, isMine);
      if (outcome.kind === "over") throw over;
      return outcome.kind === "written" ? { ok: true } : { ok: false, refused: outcome.refused };
    } catch (error) {
      const isMaybe = error instanceof MetadataError && error.applied === "maybe";
      if (isMaybe) this.#failedAt = Math.min(this.#failedAt, begun.at);
      throw error;
    } finally {
      this.#begun.delete(begun);
    }
  }

  /** Resolves when no change that failed can be made any more. Throws MetadataError. */
  async settled(): Promise<void> {
    const { key } = this.#guard;
    await this.#guarded.settle(key);
    // Another one may have failed since.
    if (this.#guarded.isSettled(key)) this.#failedAt = Number.POSITIVE_INFINITY;
  }
}

const over = new MetadataError("this incarnation is over", { retriable: false, applied: "maybe" });
