import { type BrokerId, type Epoch, epoch, type IncarnationId, incarnationId } from "../ids.ts";
import type { Item, ItemValue } from "../ports/metadata-store.ts";
import { UnreadableItemError } from "./topic.ts";

/**
 * The whole cluster's leadership, one item: which incarnation owns which slots at which epoch. An
 * epoch belongs to one incarnation and is never used again; a restarted process serves nothing
 * until it stands here with a new one.
 */
export interface Leadership {
  /** The newest epoch given. */
  readonly epoch: Epoch;
  /** How many incarnations there have been; the next one's counter is one more. */
  readonly incarnations: number;
  /** Ranges of slots, ascending, without gaps. */
  readonly assignments: readonly Assignment[];
}

export interface Assignment {
  readonly firstSlot: number;
  readonly lastSlot: number;
  readonly broker: BrokerId;
  readonly incarnation: IncarnationId;
  readonly epoch: Epoch;
}

/** A new incarnation's id: its counter and 128 random bits. */
export function newIncarnationId(leadership: Leadership | undefined, bits: string): IncarnationId {
  return incarnationId(`${(leadership?.incarnations ?? 0) + 1}-${bits}`);
}

/** Leadership after a broker that is alone took every slot, with a new epoch. */
export function takeEverySlot(
  before: Leadership | undefined,
  owner: {
    readonly broker: BrokerId;
    readonly incarnation: IncarnationId;
    readonly slots: number;
  },
): Leadership {
  const next = epoch((before?.epoch ?? 0) + 1);
  const { broker, incarnation, slots } = owner;
  return {
    epoch: next,
    incarnations: (before?.incarnations ?? 0) + 1,
    assignments: [{ firstSlot: 0, lastSlot: slots - 1, broker, incarnation, epoch: next }],
  };
}

export function leadershipItem(leadership: Leadership): ItemValue {
  return {
    epoch: leadership.epoch,
    incarnations: leadership.incarnations,
    assignments: leadership.assignments.map((assignment) => ({ ...assignment })),
  };
}

export function readLeadership(item: Item): Leadership {
  const { epoch: newest, incarnations } = item.value;
  const assignments: unknown = item.value["assignments"];
  if (typeof newest !== "number" || typeof incarnations !== "number") {
    throw new UnreadableItemError(item.key, "epoch or incarnations is missing");
  }
  if (!Array.isArray(assignments)) {
    throw new UnreadableItemError(item.key, "assignments is not a list");
  }
  return {
    epoch: epoch(newest),
    incarnations,
    assignments: assignments.map((entry: Record<string, unknown>) => readAssignment(item, entry)),
  };
}

function readAssignment(item: Item, entry: Record<string, unknown>): Assignment {
  const { firstSlot, lastSlot, broker, incarnation, epoch: given } = entry;
  if (
    typeof firstSlot !== "number" ||
    typeof lastSlot !== "number" ||
    typeof broker !== "number" ||
    typeof incarnation !== "string" ||
    typeof given !== "number"
  ) {
    throw new UnreadableItemError(item.key, "an assignment is not complete");
  }
  return {
    firstSlot,
    lastSlot,
    broker: broker as BrokerId,
    incarnation: incarnationId(incarnation),
    epoch: epoch(given),
  };
}
