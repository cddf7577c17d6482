import { type Epoch, epoch, type IncarnationId, incarnationId, type Slot } from "../ids.ts";
import type { Item, ItemValue, Write } from "../ports/metadata-store.ts";
import { keys } from "./keys.ts";
import { readingItem, UnreadableItemError } from "./unreadable-item.ts";

/**
 * A slot's head: who owns it, at which epoch, and where something of the slot lies that the owner
 * has not copied yet. Every creation or deletion of an item under the slot is conditional on it.
 *
 * A life of a head: created, or taken from an owner whose journal is closed, or from nobody
 * (`decideClaim`); its sources dropped once the owner has copied them (`decideDrop`); handed over
 * (`decideRelease`). Each write holds only if the head is still exactly as it was read. Claims and
 * releases stand in one transaction with `checkOpen` of the writer's own journal item: an
 * incarnation that is over changes no head.
 */
export interface Head {
  /** Undefined: its last owner handed it over, and nobody has claimed it since. */
  readonly owner: IncarnationId | undefined;
  /** Of the owner, or of the last one. */
  readonly epoch: Epoch;
  readonly sources: readonly Source[];
}

/**
 * What an incarnation wrote of the slot at one epoch. Without `released` its journal is closed, and
 * the incarnation's item tells the range of the journal and the checkpoint, both frozen. With it
 * everything lies in checkpoints and the manifest, and the journal has nothing more of that epoch.
 */
export interface Source {
  readonly incarnation: IncarnationId;
  readonly epoch: Epoch;
  readonly released?: true;
}

/**
 * A head lists at most so many sources; a successor that would need more copies first. One more for
 * each claimant that is a source itself: its checkpoints have one section of a slot, and a copy, which
 * is of the epoch of the claim, would take the place of the one that the head names.
 */
export const sourcesMax = 4;

/**
 * Whether a head needs the incarnation's journal, checkpoints and item (ownership rule 8). Once an
 * incarnation is closed the heads that name it only get fewer, so they may be read one by one.
 */
export function headNames(head: Head, incarnation: IncarnationId): boolean {
  return (
    head.owner === incarnation || head.sources.some((source) => source.incarnation === incarnation)
  );
}

export type Claim =
  /** The head is ours already. */
  | { readonly kind: "held"; readonly epoch: Epoch }
  /** This write makes it ours. */
  | { readonly kind: "write"; readonly write: Write; readonly epoch: Epoch }
  /** A newer epoch has the slot, or another incarnation this one: it is not ours to claim. */
  | { readonly kind: "fenced"; readonly by: Head }
  /** It was handed over at this epoch: only a newer one claims it again. */
  | { readonly kind: "released" }
  /** The owner's journal has to be closed before; then the head is to be read again. */
  | { readonly kind: "fenceFirst"; readonly owner: IncarnationId }
  /** It is this incarnation's at an older epoch, and has to be released at that one before. */
  | { readonly kind: "releaseFirst"; readonly epoch: Epoch }
  /** What the sources have has to be copied into a checkpoint before, at the claimant's epoch. */
  | { readonly kind: "tooManySources" }
  /** The copy was made of an older head, and would hide what came since: copy once more. */
  | { readonly kind: "copyAgain" };

/** An incarnation and the epoch at which it owns the slot, or shall. */
export interface SlotOwner {
  readonly slot: Slot;
  readonly incarnation: IncarnationId;
  readonly epoch: Epoch;
}

export interface Claimant extends SlotOwner {
  /**
   * Whether nothing of the slot is left to copy from there: it left nothing, or a registered
   * checkpoint of the claimant holds it at the claimant's epoch.
   */
  readonly isSpent: (source: Source) => boolean;
  /**
   * Whether the incarnation can write nothing more: its journal is closed. In a process that is
   * alone the lock of the data directory says so of every other incarnation.
   */
  readonly isOver: (incarnation: IncarnationId) => boolean;
  /**
   * The version of the head whose owner and sources are all in a registered checkpoint of the
   * claimant, at the claimant's epoch; absent where it has registered none at this epoch. A claim
   * that failed leaves such a copy behind. Whoever owned the slot in between has written more, and
   * the copy, which is of the claimant's present epoch, would pass for the whole slot.
   */
  readonly copiedVersion?: number;
}

/** How a slot's leader becomes its owner, given the head exactly as it was read. */
export function decideClaim(item: Item | undefined, me: Claimant): Claim {
  if (item === undefined) {
    const value = headItem({ owner: me.incarnation, epoch: me.epoch, sources: [] });
    const condition = { is: "absent" } as const;
    const write: Write = { kind: "put", key: keys.head(me.slot), value, condition };
    return { kind: "write", write, epoch: me.epoch };
  }
  const head = readHead(item);
  const { owner } = head;
  if (head.epoch >= me.epoch) return claimedAlready(head, me);
  if (owner === me.incarnation) return { kind: "releaseFirst", epoch: head.epoch };
  if (owner !== undefined && !me.isOver(owner)) return { kind: "fenceFirst", owner };
  const isCopied = me.copiedVersion === item.version;
  if (me.copiedVersion !== undefined && !isCopied) return { kind: "copyAgain" };
  const last: readonly Source[] =
    owner === undefined ? [] : [{ incarnation: owner, epoch: head.epoch }];
  const all = isCopied ? [] : [...head.sources, ...last];
  const sources = all.filter((source) => !me.isSpent(source));
  const isSource = sources.some(({ incarnation }) => incarnation === me.incarnation);
  if (sources.length > sourcesMax && !isSource) return { kind: "tooManySources" };
  const value = headItem({ owner: me.incarnation, epoch: me.epoch, sources });
  return { kind: "write", write: conditionalPut(item, value), epoch: me.epoch };
}

function claimedAlready(head: Head, me: SlotOwner): Claim {
  if (head.epoch > me.epoch) return { kind: "fenced", by: head };
  if (head.owner === me.incarnation) return { kind: "held", epoch: me.epoch };
  return isReleasedBy(head, me) ? { kind: "released" } : { kind: "fenced", by: head };
}

function isReleasedBy(head: Head, me: SlotOwner): boolean {
  return (
    head.owner === undefined &&
    head.epoch === me.epoch &&
    head.sources.some(({ incarnation, epoch: at }) => {
      return incarnation === me.incarnation && at === me.epoch;
    })
  );
}

export type Release =
  | { readonly kind: "write"; readonly write: Write }
  /** It is done: an earlier write, perhaps one whose reply was lost. */
  | { readonly kind: "released" }
  /** The head is not ours: somebody took it, or it was never claimed at this epoch. */
  | { readonly kind: "lost"; readonly by: Head | undefined }
  /** Sources have to be dropped before: what they have is in no checkpoint of this epoch yet. */
  | { readonly kind: "tooManySources" };

/**
 * How the owner hands a slot over (ownership rule 14): the head has no owner any more, and the
 * owner is one more source, released. Before: appends are stopped, every one is acknowledged, and
 * all of the slot at this epoch lies in registered checkpoints and the manifest. Sources that are
 * not dropped yet are kept.
 */
export function decideRelease(item: Item | undefined, me: SlotOwner): Release {
  const head = item === undefined ? undefined : readHead(item);
  if (item === undefined || head === undefined) return { kind: "lost", by: undefined };
  if (isReleasedBy(head, me)) return { kind: "released" };
  if (head.owner !== me.incarnation || head.epoch !== me.epoch) return { kind: "lost", by: head };
  const own: Source = { incarnation: me.incarnation, epoch: me.epoch, released: true };
  const sources = [...head.sources, own];
  if (sources.length > sourcesMax) return { kind: "tooManySources" };
  const value = headItem({ owner: undefined, epoch: head.epoch, sources });
  return { kind: "write", write: conditionalPut(item, value) };
}

export interface Drop extends SlotOwner {
  /**
   * The epoch of the slot at which a registered checkpoint of the owner, or the manifest, holds all
   * that the spent sources had. One of an earlier epoch does not count: it may tell less.
   */
  readonly heldAt: Epoch;
  readonly isSpent: (source: Source) => boolean;
}

/**
 * The head without the sources that are spent; undefined where it is not the owner's any more,
 * where the copy is of another epoch, and where nothing would be dropped.
 */
export function decideDrop(item: Item | undefined, me: Drop): Write | undefined {
  const head = item === undefined ? undefined : readHead(item);
  if (item === undefined || head?.owner !== me.incarnation || head.epoch !== me.epoch) return;
  if (me.heldAt !== head.epoch) return;
  const sources = head.sources.filter((source) => !me.isSpent(source));
  if (sources.length === head.sources.length) return;
  return conditionalPut(item, headItem({ ...head, sources }));
}

function conditionalPut({ key, version }: Item, value: ItemValue): Write {
  return { kind: "put", key, value, condition: { is: "version", version } };
}

function headItem(head: Head): ItemValue {
  return {
    owner: head.owner ?? null,
    epoch: head.epoch,
    sources: head.sources.map((source) => ({ ...source })),
  };
}

/** Throws UnreadableItemError. */
export function readHead(item: Item): Head {
  return readingItem(item.key, () => headOf(item));
}

function headOf(item: Item): Head {
  const { owner, epoch: given } = item.value;
  const sources: unknown = item.value["sources"];
  if (typeof given !== "number" || !Array.isArray(sources)) {
    throw new UnreadableItemError(item.key, "epoch or sources is missing");
  }
  return {
    owner: typeof owner === "string" ? incarnationId(owner) : undefined,
    epoch: epoch(given),
    sources: sources.map((source: Record<string, unknown>) => {
      const { incarnation, epoch: from, released } = source;
      if (typeof incarnation !== "string" || typeof from !== "number") {
        throw new UnreadableItemError(item.key, "a source is not complete");
      }
      const read = { incarnation: incarnationId(incarnation), epoch: epoch(from) };
      return released === true ? { ...read, released } : read;
    }),
  };
}
