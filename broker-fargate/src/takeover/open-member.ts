/**
 * What a broker of a cluster has that one which is alone has not: its journal in the object store,
 * and slots that come and go. Put together over the ports, for a process and for a simulation.
 */
import {
  type Clock,
  decideGracefulEnd,
  type Disk,
  DiskError,
  type IncarnationId,
  type Item,
  keys,
  type Leadership,
  leaderOf,
  MetadataError,
  type MetadataStore,
  type ObjectStore,
  type Random,
  type Slot,
  slotsOf,
} from "@millrace/core";
import type { Crc32c } from "@millrace/wire";
import type { Cluster } from "../cluster/cluster.ts";
import type { Membership } from "../cluster/membership.ts";
import { read, type StoreAccess, transact } from "../cluster/persist.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import type { SlotTraffic } from "../cluster/slot-traffic.ts";
import type { GroupCoordinator } from "../group/coordinator.ts";
import { ClosedJournals } from "../journal/objects/closed-journals.ts";
import type { FenceDeps } from "../journal/objects/fence.ts";
import { type JournalLimits, journalLimits } from "../journal/limits.ts";
import { ObjectJournal } from "../journal/objects/object-journal.ts";
import type { Metrics } from "../metrics/registry.ts";
import { JournalItems } from "../journal/files/journal-item.ts";
import type { PartitionPlace } from "../partition/partition-items.ts";
import type { Partitions } from "../partition/partitions.ts";
import type { MemberParts, WarningLog } from "../partition/partitions-deps.ts";
import { UnknownPartitionError } from "../partition/partitions-deps.ts";
import { ObjectAccess } from "../tier/object-access.ts";
import { objectMeter } from "../tier/tier-metrics.ts";
import type { CopyableSlot } from "./copied-heads.ts";
import { FormerEntries } from "./former-entries.ts";
import { closeFormerJournal, readFormer } from "./former-journal.ts";
import { drainMsMax, drainPollMs, type FormerLimits } from "./limits.ts";
import { observeMember } from "./member-metrics.ts";
import { Mover } from "./mover.ts";
import { SlotOpener } from "./slot-opener.ts";
import { type PartitionRef, type SlotWork, Takeover } from "./takeover.ts";

export interface OpenMemberDeps {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly objects: ObjectStore;
  /** Of this life. */
  readonly disk: Disk;
  readonly crc32c: Crc32c;
  readonly cluster: Cluster;
  readonly membership: Membership;
  readonly metrics: Metrics;
  readonly log: WarningLog;
  /** Smaller ones for tests. */
  readonly journalLimits?: JournalLimits;
  readonly formerLimits?: FormerLimits;
  /** This incarnation is over: a new one has to begin. Called once or more. */
  readonly onOver: (cause: unknown) => void;
}

interface OpenedParts {
  readonly partitions: Partitions;
  readonly groups: GroupCoordinator;
  readonly traffic: SlotTraffic;
}

/** What works on slots as leadership says, from `begin` on. */
interface Running extends OpenedParts {
  readonly takeover: Takeover;
  readonly mover: Mover;
  readonly ignoreLeadership: () => void;
}

/** The parts of a member that move with its slots. */
export class Member {
  readonly parts: MemberParts;
  readonly #deps: OpenMemberDeps;
  readonly #access: StoreAccess;
  readonly #journal: ObjectJournal;
  readonly #former: FormerEntries;
  readonly #opener: SlotOpener;
  #running: Running | undefined;

  constructor(deps: OpenMemberDeps) {
    const { clock, cluster, crc32c, membership, onOver, random, store } = deps;
    const { clusterId, incarnation } = cluster;
    this.#deps = deps;
    this.#access = { store, clock, random };
    const { metrics } = deps;
    const meter = objectMeter(metrics);
    const objects = new ObjectAccess({ store: deps.objects, clock, random, meter });
    const limits = deps.journalLimits ?? journalLimits;
    const items = new JournalItems(this.#access);
    const reads = { objects, crc32c, cluster: clusterId, limits };
    this.#journal = new ObjectJournal({
      ...{ ...reads, clock, random, incarnation, onOver, warn: this.#warn },
      recordTrim: (trim) => items.recordTrim(incarnation, trim),
    });
    const fence: FenceDeps = { ...reads, access: this.#access };
    const closeJournal = (other: IncarnationId): Promise<void> => closeFormerJournal(fence, other);
    const { disk, formerLimits } = deps;
    const place = {
      disk,
      warn: this.#warn,
      ...(formerLimits === undefined ? {} : { limits: formerLimits }),
    };
    this.#former = new FormerEntries(readFormer(fence), place);
    this.#opener = new SlotOpener({
      ...{ ...this.#access, incarnation, closeJournal, former: this.#former },
      isCopied: (slot) => this.#isCopied(slot),
      epochOf: (slot) => {
        const leader = leaderOf(membership.leadership, slot);
        return leader?.incarnation === incarnation ? leader.epoch : undefined;
      },
      caughtUp: () => cluster.caughtUp(),
      readAhead: (former) => void this.#running?.partitions.cold?.readAhead(former),
      copy: (slots) => this.#copy(slots),
      onLost: (slot, err) => {
        const message = "a former owner's journal is lost: the slot's partitions are offline";
        deps.log.error({ err, slot }, message);
      },
    });
    observeMember(metrics, {
      ledSlots: () => slotsOf(membership.leadership, incarnation).length,
      evidenceAgeMs: () => membership.evidenceAgeMs,
      takeover: {
        opening: () => this.#running?.takeover.openingSlots ?? 0,
        adopting: () => this.#running?.takeover.adoptingSlots ?? 0,
      },
      lostSlots: () => this.#opener.lostSlots,
      claimsRefused: () => this.#opener.claimsRefused,
      former: this.#former,
    });
    cluster.useOpener(this.#opener);
    membership.use({ closeJournal });
    this.parts = {
      journal: this.#journal,
      leads: (slot) => cluster.view.leads(slot),
      formerEntriesOf: (at) => this.#formerEntriesOf(at),
      onCovered: (at) => this.#covered(at),
      janitor: {
        isController: () => {
          return membership.isRunning && membership.leadership.controller === incarnation;
        },
        journals: new ClosedJournals(reads),
      },
      onOver,
    };
  }

  /** From now on slots are opened, adopted and moved as leadership says. */
  begin(parts: OpenedParts): void {
    const { clock, cluster, membership, onOver } = this.#deps;
    const { groups, partitions, traffic } = parts;
    const { incarnation } = cluster;
    const opener = this.#opener;
    const warn = this.#warn;
    const takeover = new Takeover({
      ...{ clock, opener, onOver, warn },
      ...{ leads: this.parts.leads, work: this.#workOf(parts) },
      onOpen: () => this.#journal.quicken(),
    });
    const mover = new Mover({
      ...{ clock, membership, opener, onOver, warn },
      isOver: () => !membership.isRunning,
      partitions: partitions.handover,
      closeGroups: (slots) => groups.release(slots),
      resumed: (slots) => takeover.begin(slots),
    });
    const begin = (slots: readonly Slot[]): void => {
      takeover.begin(slots);
      partitions.resumeRemovals().catch((error: unknown) => {
        warn("deleted topics could not be looked for", error);
      });
    };
    const ignoreLeadership = membership.onLeadership((now, before) => {
      const gained = gainedSlots({ now, before }, incarnation);
      if (gained.length > 0) begin(gained);
      mover.look();
    });
    this.#running = { ...parts, takeover, mover, ignoreLeadership };
    membership.tell({
      durable: () => this.#journal.durableSeq,
      load: () => traffic.load(this.parts.leads),
    });
    begin(slotsOf(membership.leadership, incarnation));
    mover.look();
  }

  /** Hands all slots over to the others, as far as there are any and time allows. */
  async drain(): Promise<void> {
    if (this.#running === undefined) return;
    const { mover } = this.#running;
    const { clock, membership } = this.#deps;
    membership.beginDrain();
    const lateMs = clock.monotonicMs() + drainMsMax;
    const isUseful = (): boolean => membership.isRunning && !mover.isEmpty && mover.hasReceivers;
    while (isUseful() && clock.monotonicMs() < lateMs) {
      mover.look();
      await new Promise<void>((resolve) => clock.after(drainPollMs, resolve));
    }
  }

  /** Resolves when nothing of it is under way. */
  async close(): Promise<void> {
    this.#running?.ignoreLeadership();
    await this.#running?.mover.close();
    await this.#running?.takeover.close();
    this.#former.close();
  }

  /**
   * Says where the journal ended, so that nobody has to fence it: after the last object of which
   * anything was told durable. It is closed, so that what is on its way is never told. A store that
   * does not answer leaves that to a fence.
   */
  async endJournal(): Promise<void> {
    const key = keys.incarnation(this.#deps.cluster.incarnation);
    try {
      for (;;) {
        const item: Item | undefined = await read(this.#access, key);
        const change = decideGracefulEnd(item, this.#journal.toldEnd);
        if (change.kind !== "write") return;
        const outcome = await transact(this.#access, [change.write], () => false);
        if (outcome.ok) return;
      }
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      this.#warn("the journal's end could not be written; whoever takes over fences it", error);
    }
  }

  readonly #warn = (what: string, cause: unknown): void => {
    this.#deps.log.warn({ err: cause }, what);
  };

  #workOf({ groups, partitions }: OpenedParts): SlotWork {
    return {
      openGroups: (slots) => groups.openLed(slots),
      waitingPartitions: (slot) => this.#former.partitionsOf(slot),
      adoptPartition: (at) => this.#adoptPartition(partitions, at),
      adoptPacks: async (slot) => {
        const open = this.#opener.find(slot);
        if (open !== undefined) await partitions.cold?.adoptSlot(slot, open);
        await this.#opener.dropSources(slot);
      },
    };
  }

  async #adoptPartition(partitions: Partitions, at: PartitionRef): Promise<void> {
    try {
      await partitions.adopt(at);
    } catch (error) {
      if (!(error instanceof UnknownPartitionError)) throw error;
      // Deleted: every topic that has anything in this slot was known before the slot was open.
      this.#covered({ ...at, slot: this.#slotOf(at) });
    }
  }

  #slotOf({ partition, topicId }: PartitionRef): Slot {
    return this.#deps.cluster.slotOfPartition(topicId, partition);
  }

  #isCopied(slot: Slot): boolean {
    const isWaiting = this.#former.partitionsOf(slot).length > 0;
    return !isWaiting && this.#running?.partitions.cold?.isSlotCopied(slot) === true;
  }

  #formerEntriesOf(at: PartitionPlace): ReturnType<MemberParts["formerEntriesOf"]> {
    const cause = this.#opener.lostOf(at.slot);
    // Offline: what it would go on without may have been acknowledged.
    if (cause !== undefined) throw new DiskError("io", { path: "journal", applied: "no", cause });
    return this.#former.entriesOf(at, this.#opener.sourcesOf(at.slot));
  }

  /** The object store has all that former owners' journals told of the partition. */
  #covered(at: PartitionPlace): void {
    if (!this.#former.covered(at)) return;
    this.#opener.dropSources(at.slot).catch((error: unknown) => {
      if (error instanceof FencedError) this.#deps.onOver(error);
      else this.#warn("a slot's sources could not be dropped yet", error);
    });
  }

  async #copy(slots: readonly CopyableSlot[]): Promise<void> {
    const partitions = this.#running?.partitions;
    const untold = new MetadataError("slots are copied once the broker is open", later);
    if (partitions === undefined) throw untold;
    for (const { epoch, slot } of slots) {
      await partitions.copySlot({ slot, openSlot: { epoch } }, this.#former.partitionsOf(slot));
    }
  }
}

const later = { retriable: true, applied: "no" } as const;

export function openMember(deps: OpenMemberDeps): Member {
  return new Member(deps);
}

function gainedSlots(
  { before, now }: { readonly now: Leadership; readonly before: Leadership },
  incarnation: IncarnationId,
): readonly Slot[] {
  return slotsOf(now, incarnation).filter((slot) => {
    return leaderOf(before, slot)?.epoch !== leaderOf(now, slot)?.epoch;
  });
}
