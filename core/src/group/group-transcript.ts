import { ClassicGroup } from "./classic-group.ts";
import { heartbeat } from "./heartbeat.ts";
import { joinGroup } from "./join.ts";
import { leaveGroup } from "./leave.ts";
import type { GroupEffect, GroupRules, GroupTimer, JoinRequest, SyncRequest } from "./protocol.ts";
import { type Decision, joinTimedOut, memberTimedOut, syncTimedOut } from "./rebalance.ts";
import { syncGroup } from "./sync.ts";

/** For tests: a group on virtual time that says in words what every decision led to. */
export class GroupTranscript {
  group: ClassicGroup = new ClassicGroup("g", 0);
  nowMs = 0;
  readonly timers: Map<GroupTimer, number> = new Map();
  readonly rules: GroupRules;
  #lines: string[] = [];
  #lastRequest = 0;

  constructor(rules: Partial<GroupRules> = {}) {
    this.rules = {
      minSessionTimeoutMs: 1_000,
      maxSessionTimeoutMs: 60_000,
      maxSize: 100,
      initialRebalanceDelayMs: 3_000,
      newMemberJoinTimeoutMs: 300_000,
      ...rules,
    };
  }

  /** What happened since the last call. */
  take(): readonly string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  /** Joins as a dynamic member that has its id unless `input` says otherwise; returns the request. */
  join(name: string, input: Partial<JoinRequest> = {}): number {
    this.#lastRequest += 1;
    const requestId = this.#lastRequest;
    this.#decide((decision) =>
      joinGroup(decision, {
        requestId,
        memberId: this.group.member(name) === undefined ? "" : name,
        newMemberId: name,
        instanceId: null,
        clientId: "client",
        clientHost: "/127.0.0.1",
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 20_000,
        protocolType: "consumer",
        protocols: protocols("range"),
        firstJoin: "joins",
        skipAssignment: "supported",
        ...input,
      }),
    );
    return requestId;
  }

  sync(memberId: string, input: Partial<SyncRequest> = {}): number {
    this.#lastRequest += 1;
    const requestId = this.#lastRequest;
    this.#decide((decision) =>
      syncGroup(decision, {
        requestId,
        memberId,
        instanceId: null,
        generation: this.group.generation,
        protocolType: "consumer",
        protocolName: this.group.protocolName,
        assignments: new Map(),
        ...input,
      }),
    );
    return requestId;
  }

  heartbeat(memberId: string, input: { instanceId?: string; generation?: number } = {}): string {
    const generation = input.generation ?? this.group.generation;
    const instanceId = input.instanceId ?? null;
    return this.#decide((decision) => heartbeat(decision, { memberId, instanceId, generation }));
  }

  leave(...members: readonly (string | { readonly instanceId: string })[]): string {
    const leaving = members.map((member) =>
      typeof member === "string"
        ? { memberId: member, instanceId: null, reason: null }
        : { memberId: "", instanceId: member.instanceId, reason: null },
    );
    const results = this.#decide((decision) => leaveGroup(decision, leaving));
    if (typeof results === "string") return results;
    return results.map(({ outcome }) => outcome).join(" ");
  }

  /** Lets time pass, and every timer fire in its turn. */
  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const next = earliest(this.timers);
      if (next === undefined || next[1] > endMs) break;
      const [timer, dueMs] = next;
      this.nowMs = dueMs;
      this.timers.delete(timer);
      this.#lines.push(`${timer} fires`);
      this.#decide((decision) => {
        if (timer === "join") joinTimedOut(decision);
        else if (timer === "sync") syncTimedOut(decision);
        else memberTimedOut(decision, timer.slice("member:".length));
      });
    }
    this.nowMs = endMs;
  }

  /** A coordinator that reads again what this one wrote. */
  restart(): void {
    const snapshot = this.group.snapshot();
    if (snapshot === undefined) throw new Error("nothing of this state is written");
    this.group = ClassicGroup.restore("g", snapshot);
    this.timers.clear();
  }

  #decide<Result>(act: (decision: Decision) => Result): Result {
    const effects: GroupEffect[] = [];
    const { group, rules, nowMs } = this;
    const result = act({ group, rules, nowMs, effects });
    for (const effect of effects) this.#carryOut(effect);
    return result;
  }

  #carryOut(effect: GroupEffect): void {
    switch (effect.kind) {
      case "write":
        this.#lines.push(`writes ${this.group.state} ${this.group.generation}`);
        return;
      case "setTimer":
        this.timers.set(effect.timer, this.nowMs + effect.delayMs);
        return;
      case "cancelTimer":
        this.timers.delete(effect.timer);
        return;
      case "answerJoin":
        this.#lines.push(`#${effect.to} ${joinText(effect.reply)}`);
        return;
      case "answerSync":
        this.#lines.push(`#${effect.to} ${syncText(effect.reply)}`);
    }
  }
}

function earliest(
  timers: ReadonlyMap<GroupTimer, number>,
): readonly [GroupTimer, number] | undefined {
  let first: readonly [GroupTimer, number] | undefined;
  for (const timer of timers) if (first === undefined || timer[1] < first[1]) first = timer;
  return first;
}

export function protocols(...names: readonly string[]): JoinRequest["protocols"] {
  return names.map((name) => ({ name, metadata: new Uint8Array([name.length]) }));
}

function joinText(reply: Extract<GroupEffect, { kind: "answerJoin" }>["reply"]): string {
  if (reply.kind === "refused") return `${reply.memberId}: ${reply.reason}`;
  const { memberId, generation, leader, protocolName, skipAssignment } = reply;
  const members = reply.members.map((member) => member.memberId).join(",");
  const role = members === "" ? `led by ${leader}` : `leads ${members}`;
  const skips = skipAssignment ? " without assigning" : "";
  return `${memberId}: generation ${generation} ${protocolName}, ${role}${skips}`;
}

function syncText(reply: Extract<GroupEffect, { kind: "answerSync" }>["reply"]): string {
  return reply.kind === "refused" ? reply.reason : `assigned [${[...reply.assignment].join()}]`;
}

/** A Stable group of these members, the first one leading. */
export function stable(...names: readonly string[]): GroupTranscript {
  const script = new GroupTranscript();
  for (const name of names) script.join(name);
  // Members after the first make the first join phase wait once more.
  script.pass(names.length === 1 ? 3_000 : 6_000);
  for (const name of names) script.sync(name, { assignments: assigned(...names) });
  script.take();
  return script;
}

/** The first member is assigned [1], the next [2]. */
export function assigned(...names: readonly string[]): ReadonlyMap<string, Uint8Array> {
  return new Map(names.map((name, index) => [name, new Uint8Array([index + 1])]));
}
