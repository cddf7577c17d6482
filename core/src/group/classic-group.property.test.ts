import fc from "fast-check";
import { expect, test } from "vitest";
import type { JoinReply, SyncReply } from "./protocol.ts";
import { ClassicGroup } from "./classic-group.ts";
import { heartbeat } from "./heartbeat.ts";
import { joinGroup } from "./join.ts";
import { leaveGroup } from "./leave.ts";
import { type Decision, joinTimedOut, memberTimedOut, syncTimedOut } from "./rebalance.ts";
import { syncGroup } from "./sync.ts";
import type { GroupTimer } from "./protocol.ts";

/**
 * Random members on virtual time. Each acts on what it was told, as a client would, and may stop
 * at any moment; the group must hold its promises whatever they do, and end empty when all stop.
 */
type Act =
  | { readonly kind: "join"; readonly who: number; readonly protocols: readonly string[] }
  | { readonly kind: "sync" | "heartbeat" | "leave" | "forget"; readonly who: number }
  | { readonly kind: "everybodyJoins"; readonly protocols: readonly string[] }
  | { readonly kind: "everybodySyncs" }
  | { readonly kind: "pass"; readonly ms: number };

const who = fc.integer({ min: 0, max: 5 });
const offered = fc.constantFrom(["range"], ["range", "sticky"], ["sticky", "range"]);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    arbitrary: fc.record({ kind: fc.constant("everybodyJoins" as const), protocols: offered }),
    weight: 2,
  },
  { arbitrary: fc.constant({ kind: "everybodySyncs" as const }), weight: 1 },
  {
    arbitrary: fc.record({ kind: fc.constant("join" as const), who, protocols: offered }),
    weight: 4,
  },
  {
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "sync" as const,
        "heartbeat" as const,
        "leave" as const,
        "forget" as const,
      ),
      who,
    }),
    weight: 5,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant("pass" as const),
      ms: fc.integer({ min: 0, max: 9_000 }),
    }),
    weight: 3,
  },
);

class Client {
  memberId = "";
  generation = -1;
  leads = false;
  readonly instanceId: string | null;
  members: readonly string[] = [];

  constructor(instanceId: string | null) {
    this.instanceId = instanceId;
  }
}

class Model {
  readonly clients: Client[] = Array.from(
    { length: 6 },
    (_, index) => new Client(index < 2 ? `i${index}` : null),
  );
  readonly timers: Map<GroupTimer, number> = new Map();
  readonly waiting: Map<number, Client> = new Map();
  readonly leaders: Map<number, Set<string>> = new Map();
  group: ClassicGroup = new ClassicGroup("g", 0);
  generation = 0;
  nowMs = 0;
  requests = 0;
  answers = 0;
  ids = 0;

  perform(step: Act): void {
    if (step.kind === "pass") {
      this.pass(step.ms);
      return;
    }
    if (step.kind === "everybodyJoins") {
      // Twice: those that were only given an id at first join with it.
      for (const client of [...this.clients, ...this.clients]) {
        if (![...this.waiting.values()].includes(client)) this.join(client, step.protocols);
      }
      this.pass(6_000);
      return;
    }
    if (step.kind === "everybodySyncs") {
      for (const client of this.clients) this.sync(client);
      return;
    }
    const client = this.clients[step.who];
    if (client === undefined) return;
    const { memberId, instanceId, generation } = client;
    if (step.kind === "join") this.join(client, step.protocols);
    else if (step.kind === "sync") this.sync(client);
    else if (step.kind === "forget") client.memberId = "";
    else if (step.kind === "leave") {
      this.decide((decision) => leaveGroup(decision, [{ memberId, instanceId, reason: null }]));
    } else {
      this.decide((decision) => heartbeat(decision, { memberId, instanceId, generation }));
    }
  }

  join(client: Client, names: readonly string[]): void {
    const requestId = this.expect(client);
    this.ids += 1;
    const newMemberId = `m${this.ids}`;
    this.decide((decision) =>
      joinGroup(decision, {
        requestId,
        newMemberId,
        memberId: client.memberId,
        instanceId: client.instanceId,
        clientId: "c",
        clientHost: "/h",
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 15_000,
        protocolType: "consumer",
        protocols: names.map((name) => ({ name, metadata: new Uint8Array(1) })),
        firstJoin: this.clients.indexOf(client) % 2 === 0 ? "givesId" : "joins",
        skipAssignment: requestId % 3 === 0 ? "supported" : "unsupported",
      }),
    );
  }

  sync(client: Client): void {
    const requestId = this.expect(client);
    const { memberId, instanceId, generation, members } = client;
    this.decide((decision) =>
      syncGroup(decision, {
        requestId,
        memberId,
        instanceId,
        generation,
        protocolType: null,
        protocolName: null,
        assignments: new Map(members.map((id) => [id, new Uint8Array([generation])])),
      }),
    );
  }

  expect(client: Client): number {
    this.requests += 1;
    this.waiting.set(this.requests, client);
    return this.requests;
  }

  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const [next] = [...this.timers].sort(([, left], [, right]) => left - right);
      if (next === undefined || next[1] > endMs) break;
      const [timer, dueMs] = next;
      this.nowMs = dueMs;
      this.timers.delete(timer);
      this.decide((decision) => {
        if (timer === "join") joinTimedOut(decision);
        else if (timer === "sync") syncTimedOut(decision);
        else memberTimedOut(decision, timer.slice("member:".length));
      });
    }
    this.nowMs = endMs;
  }

  decide(run: (decision: Decision) => unknown): void {
    const { group, nowMs } = this;
    const effects: Decision["effects"] = [];
    const rules = {
      minSessionTimeoutMs: 1,
      maxSessionTimeoutMs: 60_000,
      maxSize: 5,
      initialRebalanceDelayMs: 3_000,
      newMemberJoinTimeoutMs: 30_000,
    };
    run({ group, rules, nowMs, effects });
    for (const effect of effects) {
      if (effect.kind === "setTimer") this.timers.set(effect.timer, nowMs + effect.delayMs);
      else if (effect.kind === "cancelTimer") this.timers.delete(effect.timer);
      else if (effect.kind === "answerJoin") this.joined(this.answered(effect.to), effect.reply);
      else if (effect.kind === "answerSync") this.synced(this.answered(effect.to), effect.reply);
      else expect(group.snapshot()).toBeDefined();
    }
    this.check();
  }

  answered(requestId: number): Client {
    const client = this.waiting.get(requestId);
    expect(client, `request ${requestId} is answered once`).toBeDefined();
    this.waiting.delete(requestId);
    this.answers += 1;
    return client as Client;
  }

  joined(client: Client, reply: JoinReply): void {
    if (reply.kind === "refused") {
      if (reply.reason === "memberIdRequired") client.memberId = reply.memberId;
      if (reply.reason === "unknownMember") client.memberId = "";
      return;
    }
    expect(reply.generation).toBe(this.group.generation);
    client.memberId = reply.memberId;
    client.generation = reply.generation;
    client.members = reply.members.map((member) => member.memberId);
    if (reply.members.length === 0 || reply.skipAssignment) return;
    const leaders = this.leaders.get(reply.generation) ?? new Set();
    leaders.add(reply.memberId);
    this.leaders.set(reply.generation, leaders);
    expect(leaders.size, "one member of a generation assigns").toBe(1);
  }

  synced(client: Client, reply: SyncReply): void {
    if (reply.kind === "refused" && reply.reason === "unknownMember") client.memberId = "";
    if (reply.kind === "synced") expect(this.group.state).toBe("Stable");
  }

  check(): void {
    const { group, timers } = this;
    expect(group.generation).toBeGreaterThanOrEqual(this.generation);
    this.generation = group.generation;
    const members = [...group.members()];
    expect(group.leader === null).toBe(members.length === 0);
    if (group.leader !== null) expect(group.member(group.leader)).toBeDefined();
    const waits = members.flatMap((member) => [member.waitingJoin, member.waitingSync]);
    const known = waits.filter((request) => request !== undefined);
    expect(new Set(known)).toEqual(new Set(this.waiting.keys()));
    if (members.some((member) => member.waitingJoin !== undefined)) {
      expect(timers.has("join"), "the join phase has an end").toBe(true);
    }
    if (members.some((member) => member.waitingSync !== undefined)) {
      expect(timers.has("sync"), "the sync phase has an end").toBe(true);
    }
    for (const { memberId, waitingJoin } of members) {
      if (waitingJoin === undefined && group.state === "Stable") {
        expect(timers.has(`member:${memberId}`), "a session has an end").toBe(true);
      }
    }
    if (group.state === "Empty") expect(members).toEqual([]);
  }
}

test("a group holds its promises whatever its members do, and ends empty when they stop", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(act, { minLength: 20, maxLength: 80, size: "max" }), (steps) => {
      const model = new Model();
      for (const step of steps) {
        model.perform(step);
        seen.set(model.group.state, (seen.get(model.group.state) ?? 0) + 1);
      }
      model.pass(200_000);
      expect(model.waiting.size, "nobody waits for ever").toBe(0);
      expect(model.answers).toBe(model.requests);
      expect(model.group.state).toBe("Empty");
      expect(model.timers.size).toBe(0);
    }),
    { numRuns: 200 },
  );
  for (const count of seen.values()) expect(count).toBeGreaterThan(100);
  expect([...seen.keys()].sort()).toEqual([
    "CompletingRebalance",
    "Empty",
    "PreparingRebalance",
    "Stable",
  ]);
});
