import {
  type GroupRules,
  type HeartbeatOutcome,
  type HeartbeatRequest,
  heartbeat,
  isSubscribed,
  type JoinRefusal,
  type JoinReply,
  type JoinRequest,
  joinGroup,
  type LeaveResult,
  type LeavingMember,
  leaveGroup,
  newMemberJoinTimeoutMsDefault,
  type OffsetKey,
  type Slot,
  type SyncReply,
  type SyncRequest,
  syncGroup,
  type Timer,
  type TopicId,
} from "@millrace/core";
import type { CoordinatorDeps, Unavailable } from "./deps.ts";
import { type DescribedGroup, describeGroup, type ListedGroup, listedGroup } from "./describe.ts";
import { type GroupMetrics, groupMetrics } from "./group-metrics.ts";
import { idFits, joinFits, syncFits } from "./group-size.ts";
import type { GroupSlot, HeldGroup } from "./group-slot.ts";
import { HeldSlots, retentionMsOf, unavailable } from "./held-slots.ts";
import { newMemberId } from "./member-id.ts";
import {
  type CommitOutcome,
  type CommitRequest,
  commitOffsets,
  expireGroup,
  groupSubscription,
  removeGroup,
  removeOffsets,
} from "./offset-store.ts";

export type JoinGroupInput = Omit<JoinRequest, "requestId" | "newMemberId">;
export type SyncGroupInput = Omit<SyncRequest, "requestId">;

export interface FetchedOffset extends OffsetKey {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export type DeleteGroupOutcome = "deleted" | "groupNotFound" | "nonEmptyGroup" | Unavailable;

export type DeleteOffsetsOutcome =
  | { readonly kind: "refused"; readonly reason: "groupNotFound" | "nonEmptyGroup" | Unavailable }
  /** One result for each key, in their order. */
  | { readonly kind: "done"; readonly results: readonly ("deleted" | "groupSubscribed")[] };

/**
 * The groups of the slots that this broker owns: members, generations, and committed offsets.
 *
 * A request is decided synchronously when its group's slot is open, else after the slot was loaded,
 * in the order of the calls. What an answer says is durable by then. Requests for one slot are told
 * `Unavailable` when its store can't be asked or another owner has it; that never breaks a promise
 * made before.
 */
export class GroupCoordinator {
  readonly #deps: CoordinatorDeps;
  readonly #metrics: GroupMetrics;
  readonly #slots: HeldSlots;
  readonly #ignoreTopics: () => void;
  #cleanup: Timer | undefined;

  constructor(deps: CoordinatorDeps) {
    this.#deps = deps;
    this.#metrics = groupMetrics(deps.metrics);
    this.#slots = new HeldSlots(deps, { metrics: this.#metrics, rules: () => this.#rules() });
    this.#ignoreTopics = deps.cluster.onTopicChange(({ kind, topic }) => {
      if (kind === "deleted") this.#dropTopic(topic.id);
    });
    deps.metrics.observe(
      { kind: "gauge", name: "millrace_groups", help: "Groups in this coordinator's memory." },
      () => [...this.#slots.open()].reduce((sum, { groups }) => sum + groups.size, 0),
    );
  }

  /** Starts the timers. Slots that hold groups open in the background, others when first asked. */
  open(): void {
    this.#scheduleCleanup();
    // A failure here is met again, and told, by the first request that needs the slot.
    this.#slots.openAll().catch((error: unknown) => unavailable(error));
  }

  /** This broker leads the slots from now on: their groups go on. */
  openLed(slots: readonly Slot[]): Promise<void> {
    return this.#slots.openLed(slots);
  }

  /** The slots go to another broker; resolves when nothing of their groups is under way. */
  release(slots: readonly Slot[]): Promise<void> {
    return this.#slots.release(new Set(slots));
  }

  async close(): Promise<void> {
    this.#cleanup?.cancel();
    this.#ignoreTopics();
    await this.#slots.close();
  }

  join(groupId: string, input: JoinGroupInput): Promise<JoinReply> {
    const refused = (reason: Unavailable | JoinRefusal): JoinReply => {
      return { kind: "refused", reason, memberId: input.memberId };
    };
    if (!idFits(groupId)) return Promise.resolve(refused("invalidGroupId"));
    const joined = this.#slots.run(groupId, (slot) => {
      const known = slot.groups.get(groupId);
      if (known === undefined && input.memberId !== "") return refused("unknownMember");
      const { clientId, instanceId } = input;
      const memberId = newMemberId(this.#deps.random, instanceId ?? clientId);
      const member = input.memberId === "" ? { ...input, memberId } : input;
      if (!joinFits(groupId, known?.classic, member)) return refused("groupTooLarge");
      const held = known ?? slot.hold(groupId);
      const { requestId, answer } = slot.expectJoin();
      const decision = slot.decision(held);
      joinGroup(decision, { ...input, requestId, newMemberId: memberId });
      slot.apply(held, decision.effects);
      return answer;
    });
    return settled(joined, refused);
  }

  sync(groupId: string, input: SyncGroupInput): Promise<SyncReply> {
    const refused = (reason: Unavailable | "unknownMember" | "groupTooLarge"): SyncReply => {
      return { kind: "refused", reason };
    };
    const synced = this.#slots.run(groupId, (slot) => {
      const held = slot.groups.get(groupId);
      if (held === undefined || held.classic.state === "Empty") return refused("unknownMember");
      if (!syncFits(held.classic, input)) return refused("groupTooLarge");
      const { requestId, answer } = slot.expectSync();
      const decision = slot.decision(held);
      syncGroup(decision, { ...input, requestId });
      slot.apply(held, decision.effects);
      return answer;
    });
    return settled(synced, refused);
  }

  heartbeat(groupId: string, request: HeartbeatRequest): Promise<HeartbeatOutcome | Unavailable> {
    return this.#durably(groupId, "unknownMember", (slot, held) => {
      const decision = slot.decision(held);
      const outcome = heartbeat(decision, request);
      slot.apply(held, decision.effects);
      return outcome;
    });
  }

  /** One result for each member, in their order. */
  leave(
    groupId: string,
    leaving: readonly LeavingMember[],
  ): Promise<readonly LeaveResult[] | Unavailable> {
    const nobody = leaving.map(({ memberId, instanceId }) => {
      return { memberId, instanceId, outcome: "unknownMember" as const };
    });
    return this.#durably(groupId, nobody, (slot, held) => {
      const decision = slot.decision(held);
      const results = leaveGroup(decision, leaving);
      slot.apply(held, decision.effects);
      return results;
    });
  }

  async commit(request: CommitRequest): Promise<CommitOutcome> {
    const { groupId } = request;
    if (!idFits(groupId)) return { kind: "refused", reason: "invalidGroupId" };
    const committed = this.#slots.run(groupId, (slot): CommitOutcome | Promise<CommitOutcome> => {
      const known = slot.groups.get(groupId);
      if (known === undefined && request.generation >= 0) {
        return { kind: "refused", reason: "groupNotFound" };
      }
      const held = known ?? slot.hold(groupId);
      const { offsetMetadataMaxBytes: metadataLengthMax } = this.#deps.settings;
      const limits = { metadataLengthMax, retentionMs: this.#retentionMs() };
      this.#metrics.offsetCommits.add(request.commits.length);
      return commitOffsets(slot, held, { request, limits });
    });
    return settled(committed, (reason) => {
      return { kind: "done", results: request.commits.map(() => reason) };
    });
  }

  /**
   * Committed offsets, durable ones: of the keys asked for, or of all. A key without an offset is
   * left out; a group that is not there has none.
   */
  async fetchOffsets(
    groupId: string,
    which: readonly OffsetKey[] | "all",
  ): Promise<readonly FetchedOffset[] | Unavailable> {
    return this.#durably<readonly FetchedOffset[]>(groupId, [], (_, held) => {
      const asked = which === "all" ? allKeys(held) : which;
      return asked.flatMap((key) => {
        const found = held.offsets.get(key);
        return found === undefined ? [] : [{ ...found, ...key }];
      });
    });
  }

  describe(groupId: string): Promise<DescribedGroup | "groupNotFound" | Unavailable> {
    return this.#durably<DescribedGroup | "groupNotFound">(groupId, "groupNotFound", (_, held) =>
      describeGroup(held.classic),
    );
  }

  /**
   * Every group of the slots that this broker leads, of whatever state. Throws when the store can't
   * be asked which there are.
   */
  async list(): Promise<readonly ListedGroup[] | Unavailable> {
    try {
      await this.#slots.openAll();
    } catch (error) {
      return unavailable(error);
    }
    const { view } = this.#deps;
    const slots = [...this.#slots.open()].filter(({ slot }) => view.leads(slot));
    return slots.flatMap(({ groups }) => [...groups.values()].map((held) => listedGroup(held)));
  }

  delete(groupId: string): Promise<DeleteGroupOutcome> {
    const deleted = this.#slots.run(groupId, async (slot): Promise<DeleteGroupOutcome> => {
      const held = slot.groups.get(groupId);
      if (held === undefined) {
        await slot.durableAbsence(groupId);
        return "groupNotFound";
      }
      if (held.classic.state !== "Empty") return "nonEmptyGroup";
      await removeGroup(slot, held);
      return "deleted";
    });
    return settled(deleted, (reason) => reason);
  }

  /** Deletes offsets of topics that the group's members do not read. */
  deleteOffsets(
    groupId: string,
    gone: readonly (OffsetKey & { readonly topic: string })[],
  ): Promise<DeleteOffsetsOutcome> {
    const refused = (
      reason: Unavailable | "groupNotFound" | "nonEmptyGroup",
    ): DeleteOffsetsOutcome => {
      return { kind: "refused", reason };
    };
    const deleted = this.#slots.run(groupId, async (slot): Promise<DeleteOffsetsOutcome> => {
      const held = slot.groups.get(groupId);
      if (held === undefined) return refused("groupNotFound");
      const { state, protocolType } = held.classic;
      if (state !== "Empty" && protocolType !== "consumer") return refused("nonEmptyGroup");
      // Once for all of them: it is read from what every member sent.
      const subscription = groupSubscription(held);
      const results = gone.map(({ topic }) =>
        isSubscribed(subscription, topic) ? ("groupSubscribed" as const) : ("deleted" as const),
      );
      const removed = gone.filter((_, index) => results[index] === "deleted");
      await removeOffsets(slot, held, removed);
      await slot.durable(held);
      return { kind: "done", results };
    });
    return settled(deleted, refused);
  }

  /**
   * Drops the offsets of a topic that is gone, in every group. What a lost slot keeps is invisible,
   * since topic ids never come back, and expires.
   */
  #dropTopic(topicId: TopicId): void {
    for (const slot of this.#slots.open()) {
      for (const held of slot.groups.values()) {
        const partitions = held.offsets.partitionsOf(topicId);
        const gone = partitions.map((partition) => ({ topicId, partition }));
        removeOffsets(slot, held, gone).catch((error: unknown) => unavailable(error));
      }
    }
  }

  /** Decides about a group that is there, and answers when what was decided before is durable. */
  #durably<Result>(
    groupId: string,
    absent: Result,
    decide: (slot: GroupSlot, held: HeldGroup) => Result,
  ): Promise<Result | Unavailable> {
    const decided = this.#slots.run(groupId, (slot): Result | Promise<Result> => {
      const held = slot.groups.get(groupId);
      if (held === undefined) {
        const gone = slot.durableAbsence(groupId);
        return gone === undefined ? absent : gone.then(() => absent);
      }
      const result = decide(slot, held);
      const durable = slot.durable(held);
      return durable === undefined ? result : durable.then(() => result);
    });
    return settled<Result | Unavailable>(decided, (reason) => reason);
  }

  #scheduleCleanup(): void {
    const { clock, settings } = this.#deps;
    this.#cleanup = clock.after(settings.offsetsRetentionCheckIntervalMs, () => {
      this.#scheduleCleanup();
      // What a lost slot kept from going goes next time.
      this.#expire().catch((error: unknown) => unavailable(error));
    });
  }

  async #expire(): Promise<void> {
    const { clock, cluster } = this.#deps;
    const retentionMs = this.#retentionMs();
    const nameOf = ({ topicId }: OffsetKey): string | undefined =>
      cluster.topics.byId(topicId)?.name;
    const expiring: Promise<number>[] = [];
    for (const slot of this.#slots.open()) {
      for (const held of [...slot.groups.values()]) {
        expiring.push(expireGroup(slot, held, { retentionMs, nowMs: clock.wallMs(), nameOf }));
      }
    }
    for (const expired of await Promise.all(expiring)) this.#metrics.offsetsExpired.add(expired);
  }

  #retentionMs(): number {
    return retentionMsOf(this.#deps.settings);
  }

  #rules(): GroupRules {
    const { settings } = this.#deps;
    return {
      minSessionTimeoutMs: settings.groupMinSessionTimeoutMs,
      maxSessionTimeoutMs: settings.groupMaxSessionTimeoutMs,
      maxSize: settings.groupMaxSize,
      initialRebalanceDelayMs: settings.groupInitialRebalanceDelayMs,
      newMemberJoinTimeoutMs: newMemberJoinTimeoutMsDefault,
    };
  }
}

function allKeys(held: HeldGroup): readonly OffsetKey[] {
  const all: OffsetKey[] = [];
  for (const [topicId, partitions] of held.offsets.topics()) {
    for (const partition of partitions.keys()) all.push({ topicId, partition });
  }
  return all;
}

/** Turns the failures that an owner of slots expects into their reason; any other one is a bug. */
async function settled<Result>(
  outcome: Result | Promise<Result>,
  refused: (reason: Unavailable) => Result,
): Promise<Result> {
  try {
    return await outcome;
  } catch (error) {
    return refused(unavailable(error));
  }
}
