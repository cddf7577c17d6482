import { DiskError, inLanes, Lanes } from "@millrace/core";
import type { Duties } from "./duties.ts";
import type { PartitionLimits } from "./limits.ts";
import type { PartitionOwner } from "./owner.ts";
import { nameOf, type PartitionName } from "./partition-loader.ts";

export interface LeftFilesDeps {
  readonly duties: Pick<Duties, "forget">;
  readonly limits: Pick<PartitionLimits, "syncsInFlightMax">;
  readonly warn: (what: string, cause: unknown) => void;
}

/** Files that are to be removed. */
interface Going {
  /** Begins with it, if nobody has. */
  readonly removed: () => Promise<void>;
  /** Settled when its turn came, and it is done. */
  readonly over: Promise<void>;
}

/**
 * Files of partitions that went to another broker. They are removed in the background: thousands of
 * them take seconds, and nobody may wait so long for the partitions. Who gets one of these back
 * waits for its own files alone.
 */
export class LeftFiles {
  readonly #deps: LeftFilesDeps;
  readonly #lanes: Lanes;
  readonly #going = new Map<string, Going>();
  #isClosed = false;

  constructor(deps: LeftFilesDeps) {
    this.#deps = deps;
    this.#lanes = new Lanes(deps.limits.syncsInFlightMax);
  }

  /** Of an owner that is closed, and that nobody finds any more. */
  remove(owner: PartitionOwner): void {
    const key = nameOf(owner);
    this.#deps.duties.forget(owner);
    let removing: Promise<void> | undefined;
    const removed = (): Promise<void> => (removing ??= this.#remove(owner));
    const over = (): void => {
      if (this.#going.get(key) === going) this.#going.delete(key);
    };
    const going: Going = { removed, over: this.#lanes.run(removed).then(over) };
    this.#going.set(key, going);
  }

  /** Resolves when no removal of the partition's files is under way, or to come: it begins at once. */
  async gone(at: PartitionName): Promise<void> {
    await this.#going.get(nameOf(at))?.removed();
  }

  /** What is not removed by now stays: the next start removes it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#going.values()].map(({ over }) => over));
  }

  async #remove(owner: PartitionOwner): Promise<void> {
    if (this.#isClosed) return;
    try {
      await removeOne(owner, this.#deps.duties);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // A folder of a cache; whoever opens the partition again removes it first.
      this.#deps.warn("files of a partition that went to another broker are left", error);
    }
  }
}

/** Of closed owners: nobody syncs or writes their files any more then. Throws DiskError. */
export function removeFiles(
  owners: readonly PartitionOwner[],
  { duties, limits }: Omit<LeftFilesDeps, "warn">,
): Promise<void> {
  return inLanes(owners, limits.syncsInFlightMax, (owner) => removeOne(owner, duties));
}

async function removeOne(owner: PartitionOwner, duties: LeftFilesDeps["duties"]): Promise<void> {
  duties.forget(owner);
  try {
    await owner.log.sync();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
  duties.forget(owner);
  await owner.log.remove();
}
