import {
  FaultyMetadataStore,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { describe, expect, test } from "vitest";
import { commitOf, CoordinatorKit, joining, type Member, offsetsOf } from "./coordinator-kit.ts";

function start(settings: Readonly<Record<string, string>> = {}): Promise<CoordinatorKit> {
  const clock = new VirtualClock();
  const random = new SeededRandom(7);
  const store = new FaultyMetadataStore(new MemoryMetadataStore(), { clock, random });
  return CoordinatorKit.start({ clock, random, store }, settings);
}

async function stateOf(kit: CoordinatorKit, groupId = "g"): Promise<string> {
  const described = await kit.run(kit.groups.describe(groupId));
  return typeof described === "string" ? described : described.state;
}

describe("a restart of the broker", () => {
  test("restarts no rebalance: heartbeats and assignments go on", async () => {
    const kit = await start();
    const member = await kit.member("g");
    await kit.restart();
    expect(await kit.run(kit.groups.heartbeat("g", member))).toBe("alive");
    const described = await kit.run(kit.groups.describe("g"));
    expect(described).toMatchObject({
      state: "Stable",
      protocolName: "range",
      members: [{ memberId: member.memberId, assignment: new Uint8Array([7]) }],
    });
  });

  test("lets sessions end of members that do not come back, without being asked", async () => {
    const kit = await start();
    await kit.member("g");
    await kit.restart();
    await kit.pass(9_900);
    expect(await stateOf(kit)).toBe("Stable");
    await kit.pass(200);
    expect(await stateOf(kit)).toBe("Empty");
  });

  test("gives the next generation, not one that was told before", async () => {
    const kit = await start();
    const { generation, memberId } = await kit.member("g");
    await kit.run(kit.groups.leave("g", [{ memberId, instanceId: null, reason: null }]));
    await kit.restart();
    const { generation: next } = await kit.member("g");
    expect([generation, next]).toEqual([1, 3]);
  });

  test("keeps a group of so many members that it takes several items", async () => {
    const kit = await start();
    const metadata = new Uint8Array(20_000).fill(1);
    const input = joining({ protocols: [{ name: "range", metadata }] });
    const joins = Array.from({ length: 20 }, () => kit.groups.join("g", input));
    const replies = await kit.run(Promise.all(joins));
    expect(new Set(replies.map((reply) => reply.kind))).toEqual(new Set(["joined"]));
    await kit.restart();
    const described = await kit.run(kit.groups.describe("g"));
    expect(described).toMatchObject({ state: "CompletingRebalance" });
    if (typeof described === "string") throw new Error(described);
    expect(described.members.map((member) => member.memberId).sort()).toEqual(
      replies.map((reply) => reply.memberId).sort(),
    );
  });

  test("forgets the items that a group no longer needs", async () => {
    const kit = await start();
    const metadata = new Uint8Array(20_000).fill(1);
    const input = joining({ protocols: [{ name: "range", metadata }] });
    const joins = Array.from({ length: 20 }, () => kit.groups.join("g", input));
    const replies = await kit.run(Promise.all(joins));
    const leaving = replies.map(({ memberId }) => ({ memberId, instanceId: null, reason: null }));
    await kit.run(kit.groups.leave("g", leaving));
    await kit.restart();
    expect(await stateOf(kit)).toBe("Empty");
    expect(await kit.run(kit.groups.delete("g"))).toBe("deleted");
    await kit.restart();
    expect(await kit.run(kit.groups.list())).toEqual([]);
  });

  test("keeps ids apart that are long, strange, or alike", async () => {
    const kit = await start();
    const ids = [
      "",
      "a/b",
      "a",
      "a-b",
      "x".repeat(20_000),
      "é%~/\u0000",
      "%sha256%00",
      "x".repeat(20_001),
    ];
    for (const [index, groupId] of ids.entries()) {
      await kit.run(kit.groups.commit(commitOf(kit, { groupId, offsets: [[0, index]] })));
    }
    await kit.restart();
    for (const [index, groupId] of ids.entries()) {
      expect(await offsetsOf(kit, groupId)).toEqual([[0, index]]);
    }
    const listed = await kit.run(kit.groups.list());
    if (typeof listed === "string") throw new Error(listed);
    expect(new Set(listed.map((group) => group.groupId))).toEqual(new Set(ids));
  });
});

describe("commits", () => {
  test("are durable when they are answered, and never go back", async () => {
    const kit = await start();
    const outcome = await kit.run(
      kit.groups.commit(
        commitOf(kit, {
          offsets: [
            [0, 5],
            [1, 6],
          ],
        }),
      ),
    );
    expect(outcome).toEqual({ kind: "done", results: ["committed", "committed"] });
    await kit.restart();
    expect(await offsetsOf(kit)).toEqual([
      [0, 5],
      [1, 6],
    ]);
  });

  test("of one block within ten milliseconds are one write, the first at once", async () => {
    const kit = await start();
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 0]] })));
    await kit.pass(100);
    const before = kit.transactions.length;
    const commits = [];
    for (let offset = 1; offset <= 20; offset += 1) {
      commits.push(kit.groups.commit(commitOf(kit, { offsets: [[0, offset]] })));
      await kit.pass(1, 1);
    }
    await kit.run(Promise.all(commits));
    expect(kit.transactions.length - before).toBe(3);
    expect(await offsetsOf(kit)).toEqual([[0, 20]]);
  });

  test("of one connection that waits for each answer wait for nobody else's", async () => {
    const kit = await start();
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 0]] })));
    const startedMs = kit.clock.monotonicMs();
    const before = kit.transactions.length;
    for (let offset = 1; offset <= 50; offset += 1) {
      const commit = commitOf(kit, { offsets: [[0, offset]], connection: "a" });
      await kit.run(kit.groups.commit(commit));
    }
    expect(kit.clock.monotonicMs() - startedMs).toBeLessThanOrEqual(10);
    expect(kit.transactions.length - before).toBe(50);
    expect(await offsetsOf(kit)).toEqual([[0, 50]]);
  });

  test("of connections that wait for their answers are one write within ten milliseconds", async () => {
    const kit = await start();
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 0]] })));
    const before = kit.transactions.length;
    const client = async (connection: string, partition: number): Promise<void> => {
      for (let offset = 1; offset <= 20; offset += 1) {
        const request = commitOf(kit, { offsets: [[partition, offset]], connection });
        await kit.groups.commit(request);
      }
    };
    const startedMs = kit.clock.monotonicMs();
    await kit.run(Promise.all([client("a", 0), client("b", 1), client("c", 2)]));
    const windows = (kit.clock.monotonicMs() - startedMs) / 10;
    expect(kit.transactions.length - before).toBeLessThanOrEqual(windows + 1);
    expect(await offsetsOf(kit)).toEqual([
      [0, 20],
      [1, 20],
      [2, 20],
    ]);
  });

  test("that change nothing write nothing", async () => {
    const kit = await start();
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 5]] })));
    const before = kit.transactions.length;
    const again = await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 5]] })));
    expect(again).toEqual({ kind: "done", results: ["committed"] });
    expect(kit.transactions.length).toBe(before);
  });

  test("change one small item, on condition that no newer epoch has the slot", async () => {
    const kit = await start();
    const offsets = Array.from({ length: 1_000 }, (_, partition) => [partition, 1] as const);
    await kit.run(kit.groups.commit(commitOf(kit, { offsets })));
    const before = kit.transactions.length;
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[500, 2]] })));
    const writes = kit.transactions.slice(before).flat();
    expect(writes.map((write) => write.kind)).toEqual(["put", "check"]);
    expect(JSON.stringify(writes[0]).length).toBeLessThan(1_400);
  });

  test("larger than a transaction are split", async () => {
    const kit = await start();
    const before = kit.transactions.length;
    const offsets = Array.from({ length: 2_000 }, (_, partition) => [partition, 1] as const);
    const metadata = "m".repeat(100);
    const request = commitOf(kit, { offsets });
    const commits = request.commits.map((commit) => ({ ...commit, metadata }));
    const outcome = await kit.run(kit.groups.commit({ ...request, commits }));
    expect(outcome).toEqual({ kind: "done", results: offsets.map(() => "committed") });
    const sizes = kit.transactions.slice(before).map((writes) => writes.length);
    expect(sizes.length).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(100);
    await kit.restart();
    expect(await offsetsOf(kit)).toHaveLength(2_000);
  });

  test("are checked against the membership, and metadata has a bound", async () => {
    const kit = await start({ "offset.metadata.max.bytes": "3" });
    const member = await kit.member("g");
    const check = async (who: Partial<Member>, offset = 1) =>
      kit.run(kit.groups.commit(commitOf(kit, { ...who, offsets: [[0, offset]] })));
    expect(await check({})).toEqual({ kind: "refused", reason: "unknownMember" });
    expect(await check({ ...member, generation: 9 })).toEqual({
      kind: "refused",
      reason: "illegalGeneration",
    });
    expect(await check(member)).toEqual({ kind: "done", results: ["committed"] });
    const request = commitOf(kit, {
      ...member,
      offsets: [
        [0, 2],
        [1, 2],
      ],
    });
    const [first, second] = request.commits;
    if (first === undefined || second === undefined) throw new Error("there are two");
    const commits = [{ ...first, metadata: "long" }, second];
    const outcome = await kit.run(kit.groups.commit({ ...request, commits }));
    expect(outcome).toEqual({ kind: "done", results: ["metadataTooLarge", "committed"] });
    const stranger = commitOf(kit, { groupId: "other", generation: 3, offsets: [[0, 1]] });
    expect(await kit.run(kit.groups.commit(stranger))).toEqual({
      kind: "refused",
      reason: "groupNotFound",
    });
  });
});

describe("groups go", () => {
  test("when they are deleted empty, with their offsets", async () => {
    const kit = await start();
    const { memberId } = await kit.member("g");
    expect(await kit.run(kit.groups.delete("g"))).toBe("nonEmptyGroup");
    await kit.run(kit.groups.leave("g", [{ memberId, instanceId: null, reason: null }]));
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 1]] })));
    expect(await kit.run(kit.groups.delete("g"))).toBe("deleted");
    expect(await kit.run(kit.groups.delete("g"))).toBe("groupNotFound");
    await kit.restart();
    expect(await kit.run(kit.groups.list())).toEqual([]);
    expect(await offsetsOf(kit)).toEqual([]);
  });

  test("with their offsets, when the retention is over", async () => {
    const kit = await start({
      "offsets.retention.minutes": "10",
      "offsets.retention.check.interval.ms": "60000",
    });
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 1]] })));
    await kit.pass(570_000, 5_000);
    expect(await offsetsOf(kit)).toEqual([[0, 1]]);
    await kit.pass(60_000, 5_000);
    expect(await stateOf(kit)).toBe("groupNotFound");
    await kit.restart();
    expect(await kit.run(kit.groups.list())).toEqual([]);
  });

  test("not while offsets are committed again unchanged, not even over a restart", async () => {
    const kit = await start({
      "offsets.retention.minutes": "10",
      "offsets.retention.check.interval.ms": "60000",
    });
    for (let minute = 0; minute < 25; minute += 1) {
      await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 1]] })));
      await kit.pass(60_000, 10_000);
      if (minute % 8 === 7) await kit.restart();
    }
    expect(await offsetsOf(kit)).toEqual([[0, 1]]);
  });
});

describe("offsets are deleted", () => {
  test("of topics that no member reads", async () => {
    const kit = await start();
    const member = await kit.member("g");
    const [first, second] = kit.topicIds;
    if (first === undefined || second === undefined) throw new Error("there are topics");
    await kit.run(kit.groups.commit(commitOf(kit, { ...member, offsets: [[0, 1]] })));
    const outcome = await kit.run(
      kit.groups.deleteOffsets("g", [
        { topic: "t0", topicId: first, partition: 0 },
        { topic: "t1", topicId: second, partition: 0 },
      ]),
    );
    expect(outcome).toEqual({ kind: "done", results: ["groupSubscribed", "deleted"] });
    expect(await offsetsOf(kit)).toEqual([[0, 1]]);
  });

  test("with one look at what the members read, however many they are", async () => {
    const kit = await start();
    // Kafka's Java consumer writes it so: a version, then the topics.
    const topics = Array.from({ length: 2_000 }, () => [0, 1, 0x61]).flat();
    const metadata = Uint8Array.from([0, 0, 0, 0, 2_000 >> 8, 2_000 & 255, ...topics, 0, 0, 0, 0]);
    await kit.member("g", { protocols: [{ name: "range", metadata }] });
    const [topicId] = kit.topicIds;
    if (topicId === undefined) throw new Error("there are topics");
    const gone = Array.from({ length: 200_000 }, () => ({ topic: "t0", topicId, partition: 0 }));
    const startedMs = performance.now();
    const outcome = await kit.run(kit.groups.deleteOffsets("g", gone));
    expect(outcome).toMatchObject({ kind: "done", results: { length: gone.length } });
    expect(performance.now() - startedMs).toBeLessThan(3_000);
  });

  test("with their topic", async () => {
    const kit = await start();
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 1]] })));
    await kit.run(kit.cluster.deleteTopic("t0"));
    expect(await offsetsOf(kit)).toEqual([]);
    await kit.pass(100);
    await kit.restart();
    expect(await offsetsOf(kit)).toEqual([]);
  });
});

describe("closing", () => {
  test("answers who waits, and leaves no timer behind", async () => {
    const kit = await start();
    const waiting = kit.groups.join("g", joining());
    await kit.settle();
    await kit.run(kit.groups.close());
    expect(await waiting).toMatchObject({ kind: "refused", reason: "notCoordinator" });
    expect(kit.clock.pendingTimers).toBe(0);
    expect(
      await kit.groups.heartbeat("g", { memberId: "m", instanceId: null, generation: 1 }),
    ).toBe("notCoordinator");
  });
});
