import type { Condition, Write } from "@millrace/core";
import { knownItemsMax } from "./limits.ts";
import { epochOf, type StoredItem } from "./metadata-items.ts";

/** What a write or a strong read told of an item. */
export interface KnownState {
  readonly writeId: string;
  /** Undefined after a write that did not have to know it. */
  readonly version: number | undefined;
  readonly epoch: number;
}

/**
 * The states that items had when this store last saw them; others may have changed them since. At
 * most `knownItemsMax`, those that were learnt last.
 */
export class KnownStates {
  readonly #states = new Map<string, KnownState>();

  get(key: string): KnownState | undefined {
    return this.#states.get(key);
  }

  found({ item, writeId }: StoredItem): void {
    const { key, value, version } = item;
    this.#set(key, { writeId, version, epoch: epochOf(value) });
  }

  /** The write is done; `over`: exactly the state that it replaced, if that is known. */
  written(write: Write, writeId: string, over?: KnownState): void {
    if (write.kind === "check") return;
    if (write.kind === "delete") {
      this.#states.delete(write.key);
      return;
    }
    const before = over?.version ?? versionIn(write.condition);
    const version = before === undefined ? undefined : before + 1;
    this.#set(write.key, { writeId, version, epoch: epochOf(write.value) });
  }

  #set(key: string, state: KnownState): void {
    this.#states.delete(key);
    this.#states.set(key, state);
    if (this.#states.size <= knownItemsMax) return;
    const [oldest] = this.#states.keys();
    if (oldest !== undefined) this.#states.delete(oldest);
  }
}

/** Whether the condition holds for the state, as far as that is known. */
export function holdsFor(condition: Condition | undefined, state: KnownState): boolean {
  if (condition === undefined) return true;
  switch (condition.is) {
    case "absent":
      return false;
    case "version":
      return state.version === condition.version;
    case "epochAtMost":
      return state.epoch <= condition.epoch;
  }
}

/** The version that the condition, as it held, proves. */
function versionIn(condition: Condition | undefined): number | undefined {
  if (condition?.is === "absent") return 0;
  return condition?.is === "version" ? condition.version : undefined;
}
