import {
  ClassicGroup,
  type Clock,
  type Decision,
  type GroupEffect,
  GroupOffsets,
  type GroupRules,
  type GroupTimer,
  type JoinReply,
  joinTimedOut,
  keys,
  memberTimedOut,
  type Slot,
  type SyncReply,
  syncTimedOut,
} from "@millrace/core";
import type { GroupMetrics } from "./group-metrics.ts";
import { groupKeyName } from "./group-key.ts";
import { GroupTimers } from "./group-timers.ts";
import type { SlotLostError, SlotWrite, SlotWriter } from "./slot-writer.ts";
import { groupItems } from "./stored-group.ts";

/** One group with all that belongs to it, in its coordinator's memory. */
export interface HeldGroup {
  readonly groupId: string;
  readonly keyName: string;
  readonly classic: ClassicGroup;
  readonly offsets: GroupOffsets;
  readonly timers: GroupTimers;
  /** How many items the group was last written with; 0 for one that never was. */
  itemCount: number;
  /** Writes that are under way: what they wrote must not be revealed before they are durable. */
  readonly writing: Set<Promise<void>>;
}

interface GroupSlotOptions {
  readonly slot: Slot;
  readonly clock: Clock;
  readonly metrics: GroupMetrics;
  readonly rules: () => GroupRules;
}

/**
 * The groups of one open slot. Decisions are synchronous and change memory at once; a reply waits
 * until what it reveals is durable. When the store's state is in doubt the slot is lost: every
 * request that waits is told to look for the coordinator again, and the next one loads the slot.
 */
export class GroupSlot {
  readonly groups: Map<string, HeldGroup> = new Map();
  readonly #options: GroupSlotOptions;
  readonly #joins = new Map<number, (reply: JoinReply) => void>();
  readonly #syncs = new Map<number, (reply: SyncReply) => void>();
  /** Groups that are gone here and not yet in the store. */
  readonly #absences = new Map<string, Promise<unknown>>();
  #writer: SlotWriter | undefined;
  #lastRequestId = 0;

  constructor(options: GroupSlotOptions) {
    this.#options = options;
  }

  get slot(): Slot {
    return this.#options.slot;
  }

  start(writer: SlotWriter): void {
    this.#writer = writer;
  }

  /** The group, made if it is not there. It is written when there is something to write. */
  hold(
    groupId: string,
    restored?: { readonly classic: ClassicGroup; itemCount: number },
  ): HeldGroup {
    const known = this.groups.get(groupId);
    if (known !== undefined) return known;
    const { clock } = this.#options;
    const held: HeldGroup = {
      groupId,
      keyName: groupKeyName(groupId),
      classic: restored?.classic ?? new ClassicGroup(groupId, clock.wallMs()),
      offsets: new GroupOffsets(),
      timers: new GroupTimers(clock, (timer) => this.#timedOut(held, timer)),
      itemCount: restored?.itemCount ?? 0,
      writing: new Set(),
    };
    this.groups.set(groupId, held);
    return held;
  }

  decision(held: HeldGroup): Decision {
    const { clock, rules } = this.#options;
    return { group: held.classic, rules: rules(), nowMs: clock.wallMs(), effects: [] };
  }

  /** A request id whose answer comes with the effects of this decision, or of a later one. */
  expectJoin(): { readonly requestId: number; readonly answer: Promise<JoinReply> } {
    this.#lastRequestId += 1;
    const requestId = this.#lastRequestId;
    const answer = new Promise<JoinReply>((resolve) => this.#joins.set(requestId, resolve));
    return { requestId, answer };
  }

  expectSync(): { readonly requestId: number; readonly answer: Promise<SyncReply> } {
    this.#lastRequestId += 1;
    const requestId = this.#lastRequestId;
    const answer = new Promise<SyncReply>((resolve) => this.#syncs.set(requestId, resolve));
    return { requestId, answer };
  }

  /** Carries out what a decision asks for. */
  apply(held: HeldGroup, effects: readonly GroupEffect[]): void {
    const generations = effects.filter((effect) => effect.kind === "write").length;
    if (generations > 0) this.#writeGroup(held);
    for (const effect of effects) {
      if (effect.kind === "setTimer") held.timers.set(effect.timer, effect.delayMs);
      else if (effect.kind === "cancelTimer") held.timers.cancel(effect.timer);
    }
    for (const effect of effects) {
      if (effect.kind === "answerJoin") {
        const resolve = taken(this.#joins, effect.to);
        this.#answer(held, { reply: effect.reply, resolve, instead: joinRefused });
      } else if (effect.kind === "answerSync") {
        const resolve = taken(this.#syncs, effect.to);
        this.#answer(held, { reply: effect.reply, resolve, instead: syncRefused });
      }
    }
  }

  /** Resolves, or is absent, when all that was decided about the group is durable. */
  durable(held: HeldGroup): Promise<unknown> | undefined {
    return held.writing.size === 0 ? undefined : Promise.all(held.writing);
  }

  /**
   * Writes under the slot, as one part, and holds the group's replies until it is durable. `by`: the
   * connection that asked for it.
   */
  write(
    held: HeldGroup,
    writes: readonly SlotWrite[],
    when: "now" | "soon",
    by?: string,
  ): Promise<void> {
    const writer = this.#writer;
    if (writer === undefined) throw new Error("the slot is not open");
    const written = writer.write(writes, when, by);
    held.writing.add(written);
    const settle = (): void => {
      held.writing.delete(written);
    };
    written.then(settle, settle);
    return written;
  }

  /** Deletes of the group's own items, for the part that makes it go. */
  groupDeletions(held: HeldGroup): readonly SlotWrite[] {
    const deletions = Array.from({ length: held.itemCount }, (_, index) => ({
      key: this.#itemKey(held, index),
      value: undefined,
      bytes: 0,
    }));
    held.itemCount = 0;
    return deletions;
  }

  forget(held: HeldGroup): void {
    held.timers.cancelAll();
    held.classic.enter("Dead", this.#options.clock.wallMs());
    this.groups.delete(held.groupId);
    const absence = this.durable(held);
    if (absence === undefined) return;
    this.#absences.set(held.groupId, absence);
    const settle = (): void => {
      if (this.#absences.get(held.groupId) === absence) this.#absences.delete(held.groupId);
    };
    absence.then(settle, settle);
  }

  /** Resolves, or is absent, when it is durable that there is no such group. */
  durableAbsence(groupId: string): Promise<unknown> | undefined {
    return this.#absences.get(groupId);
  }

  /** Lets everybody who waits look for the coordinator again; the slot is not used any more. */
  abandon(): void {
    for (const held of this.groups.values()) held.timers.cancelAll();
    this.groups.clear();
    for (const resolve of this.#joins.values()) resolve(joinRefused("notCoordinator"));
    for (const resolve of this.#syncs.values()) resolve(syncRefused("notCoordinator"));
    this.#joins.clear();
    this.#syncs.clear();
  }

  async close(): Promise<void> {
    for (const held of this.groups.values()) held.timers.cancelAll();
    await this.#writer?.drained();
    this.abandon();
  }

  /** Timers of a group that was loaded: its members' sessions go on, for their whole length. */
  resume(held: HeldGroup): void {
    const { classic, timers } = held;
    for (const { memberId, sessionTimeoutMs } of classic.members()) {
      timers.set(`member:${memberId}`, sessionTimeoutMs);
    }
    if (classic.state === "CompletingRebalance") timers.set("sync", classic.rebalanceTimeoutMs());
  }

  #timedOut(held: HeldGroup, timer: GroupTimer): void {
    const decision = this.decision(held);
    if (timer === "join") joinTimedOut(decision);
    else if (timer === "sync") syncTimedOut(decision);
    else memberTimedOut(decision, timer.slice("member:".length));
    this.apply(held, decision.effects);
  }

  #writeGroup(held: HeldGroup): void {
    const snapshot = held.classic.snapshot();
    if (snapshot === undefined) return;
    if (snapshot.state === "CompletingRebalance") this.#options.metrics.rebalances.add(1);
    const items = groupItems(held.groupId, snapshot);
    const writes: SlotWrite[] = items.map((item, index) => ({
      key: this.#itemKey(held, index),
      ...item,
    }));
    for (let index = items.length; index < held.itemCount; index += 1) {
      writes.push({ key: this.#itemKey(held, index), value: undefined, bytes: 0 });
    }
    held.itemCount = items.length;
    this.write(held, writes, "now").catch(answeredElsewhere);
  }

  #itemKey(held: HeldGroup, index: number): string {
    const first = keys.group(this.slot, held.keyName);
    return index === 0 ? first : `${first}/${String(index).padStart(4, "0")}`;
  }

  #answer<Reply>(
    held: HeldGroup,
    given: {
      readonly reply: Reply;
      readonly resolve: ((reply: Reply) => void) | undefined;
      readonly instead: (reason: SlotLostError["reason"]) => Reply;
    },
  ): void {
    const { reply, resolve, instead } = given;
    if (resolve === undefined) return;
    const durable = this.durable(held);
    if (durable === undefined) {
      resolve(reply);
      return;
    }
    durable.then(
      () => resolve(reply),
      (error: SlotLostError) => resolve(instead(error.reason)),
    );
  }
}

/** A lost slot rejects every write; the replies that hang on it say so. */
function answeredElsewhere(): void {}

function joinRefused(reason: SlotLostError["reason"]): JoinReply {
  return { kind: "refused", reason, memberId: "" };
}

function syncRefused(reason: SlotLostError["reason"]): SyncReply {
  return { kind: "refused", reason };
}

function taken<Value>(map: Map<number, Value>, key: number): Value | undefined {
  const value = map.get(key);
  map.delete(key);
  return value;
}
