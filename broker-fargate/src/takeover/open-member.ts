/**
 * What a broker of a cluster has that one which is alone has not: its journal in the object store,
 * and slots that come and go. Put together over the ports, for a process and for a simulation.
 */
import type {
  Clock,
  IncarnationId,
  Leadership,
  ObjectStore,
  Random,
  Slot,
  TopicId,
} from "@millrace/core";
import {
  decideGracefulEnd,
  type Item,
  keys,
  leaderOf,
  type MetadataStore,
  readHeartbeat,
  readJournalItem,
  slotsOf,
} from "@millrace/core";
import type { Crc32c } from "@millrace/wire";
import type { Cluster } from "../cluster/cluster.ts";
import type { Membership } from "../cluster/membership.ts";
import { read, type StoreAccess, transact } from "../cluster/persist.ts";
import type { GroupCoordinator } from "../group/coordinator.ts";
import { closeJournal } from "../journal/fence.ts";
import { entriesOf } from "../journal/journal-entries.ts";
import type { JournalLimits } from "../journal/limits.ts";
import { journalLimits } from "../journal/limits.ts";
import { ObjectJournal } from "../journal/object-journal.ts";
import { readJournalObjects } from "../journal/read-objects.ts";
import { JournalItems } from "../partition/journal-item.ts";
import type { Partitions } from "../partition/partitions.ts";
import type { MemberParts, WarningLog } from "../partition/partitions-deps.ts";
import { UnknownPartitionError } from "../partition/partitions-deps.ts";
import { ObjectAccess } from "../tier/object-access.ts";
import { FormerEntries, type ReadFormerJournal } from "./former-entries.ts";
import { drainMsMax, drainPollMs } from "./limits.ts";
import { Mover } from "./mover.ts";
import { SlotOpener } from "./slot-opener.ts";
import { Takeover } from "./takeover.ts";

export interface OpenMemberDeps {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly objects: ObjectStore;
  readonly crc32c: Crc32c;
  readonly cluster: Cluster;
  readonly membership: Membership;
  readonly log: WarningLog;
  /** Smaller ones for tests. */
  readonly journalLimits?: JournalLimits;
  /** This incarnation is over: a new one has to begin. Called once or more. */
  readonly onOver: (cause: unknown) => void;
}

/** The parts of a member that move with its slots. */
export interface Member {
  readonly parts: MemberParts;
  /** From now on slots are opened, adopted and moved as leadership says. */
  begin(broker: { readonly partitions: Partitions; readonly groups: GroupCoordinator }): void;
  /** Hands all slots over to the others, as far as there are any and time allows. */
  drain(): Promise<void>;
  /** Resolves when nothing of it is under way. */
  close(): Promise<void>;
  /** The journal is closed for good: all that was acknowledged lies elsewhere. */
  endJournal(): Promise<void>;
}

export function openMember(deps: OpenMemberDeps): Member {
  const { clock, cluster, crc32c, log, membership, onOver, random, store } = deps;
  const { clusterId, incarnation } = cluster;
  const access: StoreAccess = { store, clock, random };
  const objects = new ObjectAccess({ store: deps.objects, clock, random });
  const limits = deps.journalLimits ?? journalLimits;
  const warn = (what: string, cause: unknown): void => log.warn({ err: cause }, what);
  const items = new JournalItems(access);
  const reads = { objects, crc32c, cluster: clusterId, limits };
  const journal = new ObjectJournal({
    ...{ objects, clock, random, crc32c, cluster: clusterId, incarnation, limits, onOver, warn },
    recordTrim: (trim) => items.recordTrim(incarnation, trim),
  });
  const former = new FormerEntries(readFormer({ ...reads, access }));
  const stopped: { of: (slot: Slot) => boolean } = { of: () => false };
  let broker: { readonly partitions: Partitions; readonly groups: GroupCoordinator } | undefined;
  const isCopied = (slot: Slot): boolean => {
    const isWaiting = former.partitionsOf(slot).length > 0;
    return !isWaiting && broker?.partitions.cold?.isSlotCopied(slot) === true;
  };
  const closeOther = async (other: IncarnationId): Promise<void> => {
    const heartbeat = await read(access, keys.heartbeat(other));
    const durable = heartbeat === undefined ? 0 : readHeartbeat(heartbeat).durable;
    await closeJournal({ ...reads, access }, { incarnation: other, durable });
  };
  const opener = new SlotOpener({
    ...{ ...access, incarnation, former, isCopied },
    epochOf: (slot) => {
      const leader = leaderOf(membership.leadership, slot);
      return leader?.incarnation === incarnation && !stopped.of(slot) ? leader.epoch : undefined;
    },
    closeJournal: closeOther,
  });
  cluster.useOpener(opener);
  membership.use({ closeJournal: closeOther });
  const dropSources = (slot: Slot): void => {
    opener.dropSources(slot).catch((error: unknown) => {
      warn("a slot's sources could not be dropped yet", error);
    });
  };
  const covered = (at: { topicId: TopicId; partition: number; slot: Slot }): void => {
    if (former.covered(at)) dropSources(at.slot);
  };
  const parts: MemberParts = {
    journal,
    leads: (slot) => cluster.view.leads(slot),
    formerEntriesOf: (at) => former.entriesOf(at, opener.sourcesOf(at.slot)),
    onCovered: covered,
  };
  const lifecycle: { takeover?: Takeover; mover?: Mover; stop?: () => void } = {};
  return {
    parts,
    begin: (opened) => {
      broker = opened;
      const { groups, partitions } = opened;
      const takeover = new Takeover({
        ...{ clock, opener, onOver, warn },
        leads: parts.leads,
        work: {
          openGroups: (slots) => groups.openLed(slots),
          waitingPartitions: (slot) => former.partitionsOf(slot),
          adoptPartition: async (at) => {
            const slot = cluster.slotOfPartition(at.topicId, at.partition);
            try {
              await partitions.adopt(at);
            } catch (error) {
              if (!(error instanceof UnknownPartitionError)) throw error;
              covered({ ...at, slot });
            }
          },
          adoptPacks: async (slot) => {
            const open = opener.find(slot);
            if (open !== undefined) await partitions.cold?.adoptSlot(slot, open);
            if (isCopied(slot)) await opener.dropSources(slot);
          },
        },
      });
      const mover = new Mover({
        ...{ clock, membership, opener, onOver, warn },
        isOver: () => !membership.isRunning,
        partitions: partitions.handover,
        closeGroups: (slots) => groups.release(slots),
        resumed: (slots) => takeover.begin(slots),
      });
      stopped.of = (slot) => mover.isStopped(slot);
      lifecycle.takeover = takeover;
      lifecycle.mover = mover;
      lifecycle.stop = membership.onLeadership((now, before) => {
        const gained = gainedSlots({ now, before }, cluster);
        if (gained.length > 0) {
          takeover.begin(gained);
          resumeRemovals(partitions, warn);
        }
        mover.look();
      });
      membership.tell({
        durable: () => journal.durableSeq,
        load: () => ({ total: 0, slots: [] }),
      });
      takeover.begin(slotsOf(membership.leadership, incarnation));
      mover.look();
    },
    drain: async () => {
      const { mover } = lifecycle;
      if (mover === undefined) return;
      membership.beginDrain();
      const lateMs = clock.monotonicMs() + drainMsMax;
      while (!mover.isEmpty && mover.hasReceivers && clock.monotonicMs() < lateMs) {
        mover.look();
        await new Promise<void>((resolve) => clock.after(drainPollMs, resolve));
      }
    },
    close: async () => {
      lifecycle.stop?.();
      await lifecycle.mover?.close();
      await lifecycle.takeover?.close();
    },
    endJournal: () => endJournal(access, { key: keys.incarnation(incarnation), journal }),
  };
}

function gainedSlots(
  { before, now }: { readonly now: Leadership; readonly before: Leadership },
  { incarnation }: Pick<Cluster, "incarnation">,
): readonly Slot[] {
  return slotsOf(now, incarnation).filter((slot) => {
    const former = leaderOf(before, slot);
    return former?.epoch !== leaderOf(now, slot)?.epoch;
  });
}

function resumeRemovals(
  partitions: Partitions,
  warn: (what: string, cause: unknown) => void,
): void {
  partitions.resumeRemovals().catch((error: unknown) => {
    warn("deleted topics could not be looked for", error);
  });
}

/** Reads what a closed incarnation's item says of its journal, and then that. */
function readFormer(
  deps: Omit<Parameters<typeof closeJournal>[0], "incarnation">,
): ReadFormerJournal {
  return async (incarnation, slots, take) => {
    const item = await read(deps.access, keys.incarnation(incarnation));
    // Its item goes only when no head names it: nothing of these slots is there.
    if (item === undefined) return;
    const { end, trim } = readJournalItem(item);
    if (end === undefined) return;
    const reads = { ...deps, incarnation };
    for await (const found of readJournalObjects(reads, { first: trim, end })) {
      for (const entry of entriesOf(found, ({ slot }) => slots.has(slot))) {
        if (entry.kind === "records") take(entry);
      }
    }
  };
}

/** The item says where it ended, so that nobody has to fence it. */
async function endJournal(
  access: StoreAccess,
  { journal, key }: { readonly key: string; readonly journal: ObjectJournal },
): Promise<void> {
  for (;;) {
    const item: Item | undefined = await read(access, key);
    const change = decideGracefulEnd(item, journal.nextSeq);
    if (change.kind !== "write") return;
    const outcome = await transact(access, [change.write], () => false);
    if (outcome.ok) return;
  }
}
