import {
  assert,
  type CheckpointName,
  decideClosed,
  decideClosing,
  type IncarnationId,
  type Item,
  type JournalItem,
  keys,
  readJournalItem,
  UnreadableItemError,
} from "@millrace/core";
import { encodeFence, JOURNAL_NONCE_BYTES } from "@millrace/wire";
import { read, type StoreAccess, transact } from "../../cluster/persist.ts";
import { IncarnationMissingError, JournalObjectMissingError } from "./journal-errors.ts";
import { journalKey } from "./journal-keys.ts";
import {
  type FoundJournalObject,
  type JournalReads,
  lookAtSeq,
  readJournalObjects,
  type SeqRange,
} from "./read-objects.ts";

export interface FenceDeps extends Omit<JournalReads, "incarnation"> {
  readonly access: StoreAccess;
}

export interface JournalToClose {
  readonly incarnation: IncarnationId;
  /** Below it all is durable, by the incarnation's last heartbeat; 0: not known. */
  readonly durable: number;
  /** Gets every object from trim to end, in the order of seqs; the next waits until it is done. */
  readonly onObject?: (found: FoundJournalObject) => void | Promise<void>;
}

/** What a closed incarnation left, for good. */
export interface ClosedJournal {
  /** All below it is durable elsewhere. */
  readonly trim: number;
  /** Nothing from it on was ever acknowledged. */
  readonly end: number;
  /** The newest of its checkpoints, if it wrote any. */
  readonly checkpoint: CheckpointName | undefined;
}

/**
 * Closes the journal of another incarnation that stood still, dead or not (ownership rule 11, steps
 * b to d), and reads what it left:
 *
 *     item: open → closing         trim and checkpoint are frozen; the owner's next write is refused
 *     fence at the first free seq  from max(trim, durable) on; the owner's put of that seq will fail
 *     item: closed, end            in one write
 *
 * Each step may have been done by somebody else, or be done by several at once, and whoever dies
 * leaves it to the next: nothing but what the stores have is trusted. All find the same end: a
 * fence stands where no object was, after which no object of the owner gets there, and everyone
 * goes upwards from a seq at or below it through seqs that have objects.
 *
 * Rejects with JournalObjectMissingError (the caller looks whether the journal still has to be
 * there), JournalObjectDamagedError, IncarnationMissingError, UnreadableItemError, with ObjectError
 * or MetadataError when a store does not answer, or with what `onObject` rejects with.
 */
export async function closeJournal(
  deps: FenceDeps,
  { durable, incarnation, onObject }: JournalToClose,
): Promise<ClosedJournal> {
  const reads: JournalReads = { ...deps, incarnation };
  const hand = (range: SeqRange): Promise<void> => handOver(reads, range, onObject);
  const found = await beginClosing(deps.access, incarnation);
  const { end: known, trim } = found;
  if (known !== undefined) {
    await hand({ first: trim, end: known });
    return { trim, end: known, checkpoint: found.checkpoint };
  }
  const first = Math.max(trim, durable);
  // Replay needs those bodies anyway, whoever places the fence.
  const [handed, closed] = await Promise.allSettled([
    hand({ first: trim, end: first }),
    fence(reads, deps.access, first).then((end) => recordEnd(deps.access, incarnation, end)),
  ]);
  if (closed.status === "rejected") throw closed.reason;
  if (handed.status === "rejected") throw handed.reason;
  const end = closed.value;
  await hand({ first, end });
  return { trim, end, checkpoint: found.checkpoint };
}

async function handOver(
  reads: JournalReads,
  range: SeqRange,
  onObject: JournalToClose["onObject"],
): Promise<void> {
  if (onObject === undefined) return;
  for await (const found of readJournalObjects(reads, range)) await onObject(found);
}

/** From here on the item's trim and checkpoint do not change any more. */
async function beginClosing(access: StoreAccess, incarnation: IncarnationId): Promise<JournalItem> {
  for (;;) {
    const item = await readItem(access, incarnation);
    const change = decideClosing(item);
    if (change.kind !== "write") return readEndable(item);
    // Whether it took effect, or another's write came before it, reading again tells.
    await transact(access, [change.write], () => false);
  }
}

/**
 * Returns the end that is recorded. It is another than `end` only if this process was so slow that
 * the journal was closed and deleted before it looked: it saw free places where objects had been.
 */
async function recordEnd(
  access: StoreAccess,
  incarnation: IncarnationId,
  end: number,
): Promise<number> {
  for (;;) {
    const item = await readItem(access, incarnation);
    const recorded = readEndable(item).end;
    if (recorded !== undefined) return recorded;
    const change = decideClosed(item, end);
    if (change.kind === "write") await transact(access, [change.write], () => false);
  }
}

async function readItem(access: StoreAccess, incarnation: IncarnationId): Promise<Item> {
  const item = await read(access, keys.incarnation(incarnation));
  if (item !== undefined) return item;
  throw new IncarnationMissingError(`there is no item of incarnation ${incarnation}`);
}

/** Throws UnreadableItemError for what no owner of a journal of objects writes. */
function readEndable(item: Item): JournalItem {
  const journal = readJournalItem(item);
  assert(journal.isInObjects, "a journal in files ends with its process");
  if (journal.state !== "closed" || journal.end !== undefined) return journal;
  throw new UnreadableItemError(item.key, "a closed journal has no end");
}

/**
 * Places the fence, or finds it, from `first` on, and returns its seq: the end. Looks at several
 * seqs together, but puts only at the first one where nothing is, and only if nothing is there at
 * that moment.
 */
async function fence(reads: JournalReads, access: StoreAccess, first: number): Promise<number> {
  for (let seq = first; ; ) {
    const { at, kind } = await lookFrom(reads, seq);
    if (kind === "fence") return at;
    seq = at;
    if (kind === "nothing" && (await putFence(reads, access, at)) === "stored") return at;
    // Somebody else's object is there now: what it is, the next look tells.
    if (kind === "nothing" && (await lookAtSeq(reads, at)) === "nothing") {
      return endOfClosed(reads, access, at);
    }
  }
}

/** The first of some seqs that is not an object's; the seq after them if all are. */
async function lookFrom(
  reads: JournalReads,
  first: number,
): Promise<{ readonly at: number; readonly kind: "object" | "fence" | "nothing" }> {
  const { probesInFlightMax } = reads.limits;
  const probes = Array.from({ length: probesInFlightMax }, (_, i) => lookAtSeq(reads, first + i));
  for (const [i, outcome] of (await Promise.allSettled(probes)).entries()) {
    // What lies past the fence does not count, whatever it is.
    if (outcome.status === "rejected") throw outcome.reason;
    if (outcome.value !== "object") return { at: first + i, kind: outcome.value };
  }
  return { at: first + probesInFlightMax, kind: "object" };
}

function putFence(
  { cluster, crc32c, incarnation, objects }: JournalReads,
  { clock, random }: StoreAccess,
  seq: number,
): Promise<"stored" | "foreign"> {
  const nonce = random.bytes(JOURNAL_NONCE_BYTES);
  const bytes = encodeFence({ incarnation, seq, nonce, wallMs: clock.wallMs() }, crc32c);
  return objects.put(journalKey(cluster, incarnation, seq), [bytes]);
}

/** The store says that an object exists which it does not show: it may be deleted meanwhile. */
async function endOfClosed(
  { cluster, incarnation }: JournalReads,
  access: StoreAccess,
  seq: number,
): Promise<number> {
  const { end } = readEndable(await readItem(access, incarnation));
  if (end !== undefined) return end;
  throw new JournalObjectMissingError(journalKey(cluster, incarnation, seq));
}
