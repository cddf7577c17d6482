import { assert } from "../assert.ts";
import { type Epoch, epoch, type IncarnationId, incarnationId, type Slot } from "../ids.ts";
import type { Item, ItemValue, Write } from "../ports/metadata-store.ts";
import { keys } from "./keys.ts";
import { UnreadableItemError } from "./topic.ts";

/**
 * A slot's head: who owns it, at which epoch, and where something of the slot lies that the owner
 * has not copied yet. Every creation or deletion of an item under the slot is conditional on it.
 */
export interface Head {
  readonly owner: IncarnationId | undefined;
  readonly epoch: Epoch;
  readonly sources: readonly Source[];
}

export interface Source {
  readonly incarnation: IncarnationId;
  readonly epoch: Epoch;
}

/** A head lists at most so many sources; a successor that would need more copies first. */
export const sourcesMax = 4;

export type Claim =
  /** The head is ours already. */
  | { readonly kind: "held"; readonly epoch: Epoch }
  /** This write makes it ours. */
  | { readonly kind: "write"; readonly write: Write; readonly epoch: Epoch }
  /** A newer epoch owns the slot: this incarnation is over. */
  | { readonly kind: "fenced"; readonly by: Head }
  | { readonly kind: "tooManySources" };

export interface Claimant {
  readonly slot: Slot;
  readonly incarnation: IncarnationId;
  readonly epoch: Epoch;
  /** Whether nothing of the slot is left to copy from there. */
  readonly isSpent: (source: Source) => boolean;
}

/** How a slot's leader becomes its owner, given the head exactly as it was read. */
export function decideClaim(item: Item | undefined, me: Claimant): Claim {
  const key = keys.head(me.slot);
  if (item === undefined) {
    const value = headItem({ owner: me.incarnation, epoch: me.epoch, sources: [] });
    const write: Write = { kind: "put", key, value, condition: { is: "absent" } };
    return { kind: "write", write, epoch: me.epoch };
  }
  const head = readHead(item);
  if (head.owner === me.incarnation && head.epoch === me.epoch) {
    return { kind: "held", epoch: me.epoch };
  }
  if (head.epoch >= me.epoch) return { kind: "fenced", by: head };
  const last: readonly Source[] =
    head.owner === undefined ? [] : [{ incarnation: head.owner, epoch: head.epoch }];
  const sources = [...head.sources, ...last].filter((source) => !me.isSpent(source));
  if (sources.length > sourcesMax) return { kind: "tooManySources" };
  const value = headItem({ owner: me.incarnation, epoch: me.epoch, sources });
  const condition = { is: "version", version: item.version } as const;
  const write: Write = { kind: "put", key, value, condition };
  return { kind: "write", write, epoch: me.epoch };
}

/** The head without the sources that are spent; undefined where it is not the claimant's any more. */
export function decideDrop(item: Item | undefined, me: Claimant): Write | undefined {
  const head = item === undefined ? undefined : readHead(item);
  if (item === undefined || head?.owner !== me.incarnation || head.epoch !== me.epoch) return;
  const sources = head.sources.filter((source) => !me.isSpent(source));
  const condition = { is: "version", version: item.version } as const;
  return { kind: "put", key: item.key, value: headItem({ ...head, sources }), condition };
}

function headItem(head: Head): ItemValue {
  return {
    owner: head.owner ?? null,
    epoch: head.epoch,
    sources: head.sources.map((source) => ({ ...source })),
  };
}

export function readHead(item: Item): Head {
  const { owner, epoch: given } = item.value;
  const sources: unknown = item.value["sources"];
  if (typeof given !== "number" || !Array.isArray(sources)) {
    throw new UnreadableItemError(item.key, "epoch or sources is missing");
  }
  return {
    owner: typeof owner === "string" ? incarnationId(owner) : undefined,
    epoch: epoch(given),
    sources: sources.map((source: Record<string, unknown>) => {
      const { incarnation, epoch: from } = source;
      assert(typeof incarnation === "string" && typeof from === "number", "a source is complete");
      return { incarnation: incarnationId(incarnation), epoch: epoch(from) };
    }),
  };
}
