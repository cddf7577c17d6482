import { type Item, MetadataError, type Write } from "@millrace/core";
import { attemptsMax, backOff, given, read, type Refused, type StoreAccess } from "./persist.ts";

/** An item that stands for a writer, and never goes while it writes: a slot's head, say. */
export interface Guard {
  readonly key: string;
  /** Whether the writer may write, given the item as it is. */
  readonly allows: (item: Item | undefined) => boolean;
}

export type GuardedOutcome =
  | { readonly kind: "written" }
  /** By the conditions of the writes themselves. */
  | { readonly kind: "refused"; readonly refused: Refused }
  /** These guards do not allow it any more, and never will again. */
  | { readonly kind: "over"; readonly guards: ReadonlySet<string> };

interface Known {
  readonly item: Item;
  /** A transaction on condition of this version may take effect yet, though nobody waits for it. */
  readonly isUnsettled: boolean;
}

/**
 * Transactions of one writer that can't take effect late.
 *
 * A transaction without an answer may have its effect at any later time, also after others of the
 * same writer: an absent item, or a version that a new item had before, is no condition that keeps
 * it out. So every transaction is on condition of its guard's exact version. After one of unknown
 * outcome the next one, a try of the same one included, writes the guard again as it is, on the same
 * condition: once that is done the earlier one is too late for good. Where nothing else is to be
 * written `settle` does that alone. What is then read is decided.
 *
 * It costs no more than a check of the guard's epoch would: a check and a small write are billed
 * alike, and no item is read but the guard, once. The guard's owner may change it elsewhere; what is
 * refused for that is sent again.
 */
export class GuardedWrites {
  readonly #access: StoreAccess;
  /** Of every guard that was used: slots of this process, at most. */
  readonly #known = new Map<string, Known>();

  constructor(access: StoreAccess) {
    this.#access = access;
  }

  /**
   * With bounded retries, each after a wait with jitter. Writes without a condition may be made
   * twice, one time right after the other. `isMine` tells from what was found whether an earlier try
   * had its effect, as in `transact`. Throws MetadataError; its `applied` speaks for all tries.
   */
  async transact(
    guards: readonly Guard[],
    writes: readonly Write[],
    isMine: (refused: Refused) => boolean | Promise<boolean>,
  ): Promise<GuardedOutcome> {
    let mayBeApplied = false;
    for (let attempt = 1; ; attempt += 1) {
      const over = await this.#learnAll(guards, mayBeApplied);
      if (over.size > 0) return { kind: "over", guards: over };
      // In the turn in which it is sent: while one guard was read, somebody else may have learnt that
      // another one is over.
      const sent = this.#allowed(guards);
      if (sent === undefined) {
        if (attempt < attemptsMax) continue;
        throw given(movedTooOften(guards), mayBeApplied);
      }
      try {
        const outcome = await this.#access.store.transact([...writes, ...sent.map(guardWrite)]);
        if (outcome.ok) {
          this.#written(sent);
          return { kind: "written" };
        }
        const refused = this.#learnRefused(outcome.refused, guards);
        if (refused.length > 0) {
          const isDone = mayBeApplied && (await isMine(refused));
          return isDone ? { kind: "written" } : { kind: "refused", refused };
        }
        if (attempt === attemptsMax) throw given(movedTooOften(guards), mayBeApplied);
      } catch (error) {
        if (!(error instanceof MetadataError)) throw error;
        if (error.applied === "maybe") this.#unsettled(sent);
        mayBeApplied ||= error.applied === "maybe";
        if (!error.retriable || attempt === attemptsMax) throw given(error, mayBeApplied);
        await backOff(this.#access, attempt);
      }
    }
  }

  /** Whether no transaction that failed can take effect any more. */
  isSettled(key: string): boolean {
    return this.#known.get(key)?.isUnsettled !== true;
  }

  /**
   * Resolves when no earlier transaction under the guard can take effect any more but those that
   * are under way still; at once, mostly. With bounded retries; throws MetadataError.
   */
  async settle(key: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const known = this.#known.get(key);
      if (known === undefined || this.isSettled(key)) return;
      try {
        const outcome = await this.#access.store.transact([guardWrite(known)]);
        if (outcome.ok) this.#written([known]);
        else this.#learnRefused(outcome.refused, [{ key }]);
      } catch (error) {
        if (!(error instanceof MetadataError)) throw error;
        if (!error.retriable || attempt === attemptsMax) throw error;
        await backOff(this.#access, attempt);
      }
    }
  }

  /** Guards that do not allow it. Throws MetadataError, which speaks for the tries before, too. */
  async #learnAll(guards: readonly Guard[], mayBeApplied: boolean): Promise<ReadonlySet<string>> {
    const over = new Set<string>();
    for (const { key, allows } of guards) {
      if (allows(this.#known.get(key)?.item)) continue;
      // Of another time: the writer may have got it anew since.
      const item = await this.#read(key, mayBeApplied);
      this.#learn(key, item);
      if (!allows(item)) over.add(key);
    }
    return over;
  }

  async #read(key: string, mayBeApplied: boolean): Promise<Item | undefined> {
    try {
      return await read(this.#access, key);
    } catch (error) {
      throw error instanceof MetadataError ? given(error, mayBeApplied) : error;
    }
  }

  /** All of them as they are known; undefined where one, by that, does not allow it. */
  #allowed(guards: readonly Guard[]): readonly Known[] | undefined {
    const allowed: Known[] = [];
    for (const { key, allows } of guards) {
      const known = this.#known.get(key);
      if (known === undefined || !allows(known.item)) return undefined;
      allowed.push(known);
    }
    return allowed;
  }

  /** Those that are refused beside the guards. */
  #learnRefused(refused: Refused, guards: readonly Pick<Guard, "key">[]): Refused {
    const keys = new Set(guards.map(({ key }) => key));
    for (const { key, found } of refused) if (keys.has(key)) this.#learn(key, found);
    return refused.filter(({ key }) => !keys.has(key));
  }

  #learn(key: string, item: Item | undefined): void {
    const known = this.#known.get(key);
    if (item === undefined) this.#known.delete(key);
    else if (known === undefined || known.item.version < item.version) {
      // Whatever was on condition of an older version comes too late.
      this.#known.set(key, { item, isUnsettled: false });
    }
  }

  #written(sent: readonly Known[]): void {
    for (const known of sent) {
      const { item, isUnsettled } = known;
      if (isUnsettled) this.#learn(item.key, { ...item, version: item.version + 1 });
    }
  }

  #unsettled(sent: readonly Known[]): void {
    for (const { item } of sent) {
      if (this.#known.get(item.key)?.item.version !== item.version) continue;
      this.#known.set(item.key, { item, isUnsettled: true });
    }
  }
}

function guardWrite({ item, isUnsettled }: Known): Write {
  const { key, value, version } = item;
  const condition = { is: "version", version } as const;
  return isUnsettled ? { kind: "put", key, value, condition } : { kind: "check", key, condition };
}

function movedTooOften(guards: readonly Guard[]): MetadataError {
  const names = guards.map(({ key }) => key).join(", ");
  return new MetadataError(`${names} moved at every try`, { retriable: true, applied: "no" });
}
