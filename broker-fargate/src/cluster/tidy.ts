import { counterOf, type IncarnationId, keys, MetadataError, ObjectError } from "@millrace/core";
import type { MembershipDependencies } from "./membership-deps.ts";

export interface ToTidy {
  /** Over, and a heartbeat of them is still there. */
  readonly leftOver: readonly IncarnationId[];
  /** They led nothing: no takeover closes their journals. */
  readonly dead: readonly IncarnationId[];
  /**
   * Incarnations with a larger counter registered after the look began: of a transaction that is
   * being made a look may see the one item, and not yet the other.
   */
  readonly counterMax: number;
}

type TidyingDeps = Pick<MembershipDependencies, "closeJournal" | "log" | "store">;

/**
 * The controller's housekeeping: heartbeats that are left over of those that are over, and journals
 * of the dead that lead nothing. Beside whatever else the controller does: to close a journal takes
 * the object store, and others may die meanwhile.
 */
export class Tidying {
  readonly #deps: () => TidyingDeps;
  #running: Promise<void> | undefined;

  constructor(deps: () => TidyingDeps) {
    this.#deps = deps;
  }

  /** One round after another: what comes during one is found again by the next look. */
  begin(of: ToTidy): void {
    this.#running ??= this.#tidy(of)
      .catch((error: unknown) => {
        const isStore = error instanceof MetadataError || error instanceof ObjectError;
        if (!isStore) throw error;
        this.#deps().log.info({ err: error }, "what is left of the dead is tidied up later");
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Resolves when nothing is under way. */
  async close(): Promise<void> {
    await this.#running;
  }

  async #tidy({ counterMax, dead, leftOver }: ToTidy): Promise<void> {
    const { closeJournal, store } = this.#deps();
    for (const incarnation of leftOver) {
      if (counterOf(incarnation) > counterMax) continue;
      await store.transact([{ kind: "delete", key: keys.heartbeat(incarnation) }]);
    }
    if (closeJournal === undefined) return;
    for (const one of dead) await closeJournal(one);
  }
}
