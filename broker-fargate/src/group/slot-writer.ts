import {
  type Epoch,
  type Item,
  type ItemValue,
  MetadataError,
  type Slot,
  type Write,
} from "@millrace/core";
import type { GuardedWrites } from "../cluster/guarded-writes.ts";
import { headGuard } from "../cluster/head-guard.ts";
import type { Refused, StoreAccess } from "../cluster/persist.ts";
import { batchBytesMax, batchItemsMax, offsetLingerMs } from "./limits.ts";

/** One item under the slot as it is to be; without a value it goes. */
export interface SlotWrite {
  readonly key: string;
  readonly value: ItemValue | undefined;
  /** About its size as JSON. */
  readonly bytes: number;
}

/** The slot can't be written any more: what was asked for has an unknown outcome. */
export class SlotLostError extends Error {
  override readonly name = "SlotLostError";
  readonly reason: "coordinatorNotAvailable" | "notCoordinator";

  constructor(reason: "coordinatorNotAvailable" | "notCoordinator", cause?: unknown) {
    super(`slot lost: ${reason}`, { cause });
    this.reason = reason;
  }
}

interface Part {
  readonly writes: readonly SlotWrite[];
  readonly bytes: number;
  /** The connection that asked for it, if one did. */
  readonly by: string | undefined;
  readonly resolve: () => void;
  readonly reject: (error: SlotLostError) => void;
}

interface SlotWriterOptions {
  readonly access: Pick<StoreAccess, "clock">;
  /** Those of the slot's writers before this one, too. */
  readonly guarded: GuardedWrites;
  readonly slot: Slot;
  readonly epoch: Epoch;
  /** A number that no other write of this epoch has. */
  readonly nextStamp: () => number;
  /** Called once, when the slot is lost. */
  readonly onLost: (error: SlotLostError) => void;
}

/**
 * The one writer of a slot's group items. Parts are written whole and in their order, several in
 * one transaction where they fit; within one, the last value of a key wins, so that what is durable
 * is always the state after some prefix of the parts.
 *
 * Each write is conditional on the item's version as this writer left it, so that one of our own
 * whose reply was given up and that arrives late makes the next one be refused; then the slot is
 * lost, and whoever needs it opens it again from the store. And on the slot's head as it is known
 * here: an earlier owner's write comes before a claim, and is read after it, or is refused. An
 * overwrite needs that, too: its item's version is what a successor has read, as long as that has
 * not claimed every single item (ownership rule 10). So does a creation of our own that arrives
 * after its item was deleted: an absent item has no version (see GuardedWrites).
 */
export class SlotWriter {
  readonly #options: SlotWriterOptions;
  readonly #versions = new Map<string, number>();
  #queue: Part[] = [];
  #running: Promise<void> | undefined;
  /** Ends the linger that is under way. */
  #hurry: (() => void) | undefined;
  /** Whether a part that does not wait is in the queue. */
  #urgent = false;
  #lastStartMs = Number.NEGATIVE_INFINITY;
  /** Whose the last write was, if it was of one connection alone. */
  #lastBy: string | undefined;
  #lost: SlotLostError | undefined;

  constructor(options: SlotWriterOptions) {
    this.#options = options;
  }

  /** Learns an item that the store holds. */
  learn(item: Item): void {
    this.#versions.set(item.key, item.version);
  }

  /**
   * Resolves when all of it is durable, or rejects with SlotLostError. With "soon" it starts when
   * `offsetLingerMs` have passed since the last start, so that others share the write; "now" does
   * not wait. Nor does a connection that wrote last, alone: its requests come one after another, so
   * waiting would let it share with nobody but itself.
   */
  write(writes: readonly SlotWrite[], when: "now" | "soon", by?: string): Promise<void> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const bytes = writes.reduce((sum, write) => sum + write.bytes, 0);
    const done = new Promise<void>((resolve, reject) => {
      this.#queue.push({ writes, bytes, by, resolve, reject });
    });
    if (when === "now") {
      this.#urgent = true;
      this.#hurry?.();
    }
    this.#running ??= this.#run();
    return done;
  }

  /** Resolves when nothing is left to write, whatever became of it. */
  async drained(): Promise<void> {
    this.#urgent = true;
    this.#hurry?.();
    await this.#running;
    this.#urgent = false;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      if (!this.#urgent && !this.#isAlone()) await this.#linger();
      this.#urgent = false;
      this.#lastStartMs = this.#options.access.clock.monotonicMs();
      const parts = this.#takeBatch();
      try {
        await this.#transact(parts);
      } catch (error) {
        this.#lose(error, parts);
        break;
      }
      this.#lastBy = soleConnection(parts);
      for (const part of parts) part.resolve();
    }
    this.#running = undefined;
  }

  #isAlone(): boolean {
    const by = soleConnection(this.#queue);
    return by !== undefined && by === this.#lastBy;
  }

  #linger(): Promise<void> {
    const { clock } = this.#options.access;
    const waitMs = this.#lastStartMs + offsetLingerMs - clock.monotonicMs();
    if (waitMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = clock.after(waitMs, () => this.#hurry?.());
      this.#hurry = () => {
        timer.cancel();
        this.#hurry = undefined;
        resolve();
      };
    });
  }

  #takeBatch(): readonly Part[] {
    const keysTaken = new Set<string>();
    let bytes = 0;
    let count = 0;
    for (const part of this.#queue) {
      bytes += part.bytes;
      for (const { key } of part.writes) keysTaken.add(key);
      if (count > 0 && (keysTaken.size > batchItemsMax || bytes > batchBytesMax)) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #transact(parts: readonly Part[]): Promise<void> {
    const { epoch, guarded, slot } = this.#options;
    const wanted = new Map<string, ItemValue | undefined>();
    for (const part of parts) for (const { key, value } of part.writes) wanted.set(key, value);
    const stamp = this.#options.nextStamp();
    const writes: Write[] = [];
    for (const [key, value] of wanted) {
      const version = this.#versions.get(key);
      if (value === undefined && version === undefined) continue;
      writes.push(conditional(key, value && { ...value, epoch, stamp }, version));
    }
    if (writes.length === 0) return;
    const isMine = (refused: Refused): boolean =>
      refused.every(({ key, found }) => isWritten(wanted.get(key), found, { epoch, stamp }));
    const outcome = await guarded.transact([headGuard(slot, epoch)], writes, isMine);
    if (outcome.kind !== "written") throw new SlotLostError("notCoordinator");
    for (const [key, value] of wanted) this.#written(key, value);
  }

  #written(key: string, value: ItemValue | undefined): void {
    if (value === undefined) this.#versions.delete(key);
    else this.#versions.set(key, (this.#versions.get(key) ?? 0) + 1);
  }

  #lose(cause: unknown, parts: readonly Part[]): void {
    const lost = lostBy(cause);
    this.#lost = lost;
    const waiting = [...parts, ...this.#queue];
    this.#queue = [];
    for (const part of waiting) part.reject(lost);
    this.#options.onLost(lost);
  }
}

function soleConnection(parts: readonly Part[]): string | undefined {
  const by = parts[0]?.by;
  return parts.every((part) => part.by === by) ? by : undefined;
}

function lostBy(cause: unknown): SlotLostError {
  if (cause instanceof SlotLostError) return cause;
  if (cause instanceof MetadataError) return new SlotLostError("coordinatorNotAvailable", cause);
  throw cause;
}

function conditional(
  key: string,
  value: ItemValue | undefined,
  version: number | undefined,
): Write {
  const condition =
    version === undefined ? ({ is: "absent" } as const) : ({ is: "version", version } as const);
  return value === undefined
    ? { kind: "delete", key, condition }
    : { kind: "put", key, value, condition };
}

/** Whether the store holds what this very transaction wrote. */
function isWritten(
  wanted: ItemValue | undefined,
  found: Item | undefined,
  mine: { readonly epoch: Epoch; readonly stamp: number },
): boolean {
  if (wanted === undefined || found === undefined) return wanted === found;
  return found.value["epoch"] === mine.epoch && found.value["stamp"] === mine.stamp;
}
