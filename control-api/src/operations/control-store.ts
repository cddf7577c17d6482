import {
  type Clock,
  type Item,
  type ItemValue,
  type KeyRange,
  MetadataError,
  type MetadataStore,
  type Page,
  type Random,
  type Write,
} from "@millrace/core";
import { storeBackoffMsFirst, storeTriesMax } from "./limits.ts";

export interface ControlStoreDependencies {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly random: Random;
}

/** One write on what is known to be there: `over` is the item's version, or that there is none. */
export interface ControlWrite {
  readonly key: string;
  /** Undefined: the item goes. */
  readonly value: ItemValue | undefined;
  readonly over: number | "nothing";
}

type Refused = readonly { readonly key: string; readonly found: Item | undefined }[];

/**
 * The control plane's store with bounded retries. Every write is conditional, and no two writers
 * write one value over one version (ids and leases are theirs alone); so that a refused write whose
 * value is found was made by an earlier try of itself.
 */
export class ControlStore {
  readonly #deps: ControlStoreDependencies;

  constructor(deps: ControlStoreDependencies) {
    this.#deps = deps;
  }

  /** Strong. Throws MetadataError. */
  get(key: string): Promise<Item | undefined> {
    return this.#retried(() => this.#deps.store.get(key));
  }

  /** Throws MetadataError. */
  range(range: KeyRange): Promise<Page> {
    return this.#retried(() => this.#deps.store.range(range));
  }

  /** All or nothing. `refused`: something is not as the writes expect it. Throws MetadataError. */
  write(writes: readonly ControlWrite[]): Promise<"written" | "refused"> {
    return this.transact(writes.map(conditional), (refused) =>
      refused.every((one) => isOf(writes, one)),
    );
  }

  /**
   * As `write`, of any writes. `isMine` tells, where an earlier try may have had its effect, whether
   * that is what refused the later one. Throws MetadataError.
   */
  transact(
    writes: readonly Write[],
    isMine: (refused: Refused) => boolean | Promise<boolean>,
  ): Promise<"written" | "refused"> {
    let mayBeApplied = false;
    return this.#retried(async () => {
      try {
        const outcome = await this.#deps.store.transact(writes);
        if (outcome.ok) return "written";
        return mayBeApplied && (await isMine(outcome.refused)) ? "written" : "refused";
      } catch (error) {
        if (!(error instanceof MetadataError)) throw error;
        mayBeApplied ||= error.applied === "maybe";
        const { message, retriable } = error;
        // Of all tries together, because the caller knows of one.
        const applied = mayBeApplied ? "maybe" : "no";
        throw new MetadataError(message, { retriable, applied, cause: error });
      }
    });
  }

  async #retried<Result>(call: () => Promise<Result>): Promise<Result> {
    for (let tried = 1; ; tried += 1) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof MetadataError) || !error.retriable) throw error;
        if (tried >= storeTriesMax) throw error;
        const longestMs = storeBackoffMsFirst * 2 ** (tried - 1);
        const waitMs = longestMs / 2 + this.#deps.random.below(longestMs / 2);
        await new Promise<void>((resolve) => this.#deps.clock.after(waitMs, resolve));
      }
    }
  }
}

function conditional({ key, over, value }: ControlWrite): Write {
  const condition: Write["condition"] =
    over === "nothing" ? { is: "absent" } : { is: "version", version: over };
  return value === undefined
    ? { kind: "delete", key, condition }
    : { kind: "put", key, value, condition };
}

function isOf(
  writes: readonly ControlWrite[],
  refused: { readonly key: string; readonly found: Item | undefined },
): boolean {
  const write = writes.find(({ key }) => key === refused.key);
  return JSON.stringify(write?.value) === JSON.stringify(refused.found?.value);
}
