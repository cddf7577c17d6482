import {
  FaultyMetadataStore,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { describe, expect, test } from "vitest";
import { commitOf, CoordinatorKit, joining, offsetsOf } from "./coordinator-kit.ts";

function start(settings: Readonly<Record<string, string>> = {}): Promise<CoordinatorKit> {
  const clock = new VirtualClock();
  const random = new SeededRandom(7);
  const store = new FaultyMetadataStore(new MemoryMetadataStore(), { clock, random });
  return CoordinatorKit.start({ clock, random, store }, settings);
}

describe("a store that fails", () => {
  test("after the effect, its reply lost, is no matter: the write is recognised", async () => {
    const kit = await start();
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 1]] })));
    for (const offset of [2, 3, 4]) {
      kit.store.plan("replyLost", "none");
      const outcome = await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, offset]] })));
      expect(outcome).toEqual({ kind: "done", results: ["committed"] });
    }
    kit.store.plan("replyLost", "replyLost");
    const member = await kit.member("g2");
    await kit.restart();
    expect(await kit.run(kit.groups.heartbeat("g2", member))).toBe("alive");
    expect(await offsetsOf(kit)).toEqual([[0, 4]]);
  });

  test("for long makes waiting requests look again, and loses nothing that was answered", async () => {
    const kit = await start();
    const member = await kit.member("g");
    await kit.run(kit.groups.commit(commitOf(kit, { ...member, offsets: [[0, 1]] })));
    kit.store.plan(...Array.from({ length: 7 }, () => "requestLost" as const));
    const outcome = kit.groups.commit(commitOf(kit, { ...member, offsets: [[0, 2]] }));
    const joined = kit.groups.join("g", joining());
    expect(await kit.run(outcome)).toEqual({
      kind: "done",
      results: ["coordinatorNotAvailable"],
    });
    expect(await kit.run(joined)).toMatchObject({ kind: "refused" });
    expect(await offsetsOf(kit)).toEqual([[0, 1]]);
    expect(await kit.run(kit.groups.heartbeat("g", member))).toBe("alive");
  });

  test("for long does not keep sessions from ending: the slot is loaded again by itself", async () => {
    const kit = await start();
    const member = await kit.member("g");
    kit.store.plan(...Array.from({ length: 7 }, () => "requestLost" as const));
    await kit.run(kit.groups.commit(commitOf(kit, { ...member, offsets: [[0, 2]] })));
    await kit.pass(12_000);
    expect(await kit.run(kit.groups.describe("g"))).toMatchObject({ state: "Empty" });
  });

  test("never shows a generation or an offset that is not durable", async () => {
    const kit = await start();
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 1]] })));
    kit.store.plan(...Array.from({ length: 7 }, () => "requestLost" as const));
    const committing = kit.groups.commit(commitOf(kit, { offsets: [[0, 2]] }));
    const fetching = kit.groups.fetchOffsets("g", "all");
    await kit.run(committing);
    expect(await kit.run(fetching)).toBe("coordinatorNotAvailable");
    kit.store.plan(...Array.from({ length: 7 }, () => "requestLost" as const));
    expect(await kit.run(kit.groups.join("h", joining()))).toMatchObject({
      kind: "refused",
      reason: "coordinatorNotAvailable",
    });
  });

  test("never shows that a group is gone before that is durable", async () => {
    const kit = await start();
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 1]] })));
    kit.store.plan(...Array.from({ length: 7 }, () => "requestLost" as const));
    const deleting = kit.groups.delete("g");
    const asked = [kit.groups.fetchOffsets("g", "all"), kit.groups.delete("g")];
    await kit.run(deleting);
    for (const answer of asked)
      expect(await kit.run<unknown>(answer)).toBe("coordinatorNotAvailable");
    expect(await kit.run(kit.groups.fetchOffsets("g", "all"))).toHaveLength(1);
  });

  test("that makes what was given up late brings no group back that was deleted since", async () => {
    const kit = await start();
    expect(await offsetsOf(kit)).toEqual([]);
    kit.store.rates = { perThousand: {}, lateMsMax: 60_000 };
    kit.store.plan("lateEffect", "lateEffect", "none");
    const first = await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 1]] })));
    expect(first).toEqual({ kind: "done", results: ["committed"] });
    expect(await kit.run(kit.groups.delete("g"))).toBe("deleted");
    await kit.pass(70_000, 1_000);
    await kit.restart();
    expect(await offsetsOf(kit)).toEqual([]);
    expect(await kit.run(kit.groups.delete("g"))).toBe("groupNotFound");
  });

  test("that makes a write late, after its slot was loaded again, changes nothing", async () => {
    const kit = await start();
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 1]] })));
    kit.store.rates = { perThousand: {}, lateMsMax: 60_000 };
    kit.store.plan(...Array.from({ length: 7 }, () => "lateEffect" as const));
    // Of another block, whose item is not there: no version keeps it out.
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[1_500, 2]] })));
    const shown = await offsetsOf(kit);
    await kit.pass(70_000, 1_000);
    await kit.restart();
    expect(await offsetsOf(kit)).toEqual(shown);
  });

  test("at random changes nothing of what was answered, over many restarts", async () => {
    const kit = await start();
    const answered = new Map<number, number>();
    let refused = 0;
    for (let round = 1; round <= 150; round += 1) {
      kit.store.rates = { perThousand: { requestLost: 300, replyLost: 300, conflict: 100 } };
      const partition = round % 5;
      const commit = kit.groups.commit(commitOf(kit, { offsets: [[partition, round]] }));
      const outcome = await kit.run(commit);
      if (outcome.kind === "done" && outcome.results[0] === "committed") {
        answered.set(partition, round);
      } else refused += 1;
      kit.store.rates = { perThousand: {} };
      if (round % 10 === 0) await kit.restart();
      for (const [key, offset] of await offsetsOf(kit)) {
        expect(offset).toBeGreaterThanOrEqual(answered.get(key) ?? 0);
      }
    }
    expect(refused).toBeGreaterThan(0);
    expect(answered.size).toBe(5);
  });

  test("on a slot whose head moved tells that another broker coordinates", async () => {
    const kit = await start();
    const before = kit.groups;
    await kit.run(before.commit(commitOf(kit, { offsets: [[0, 1]] })));
    await kit.restart();
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 2]] })));
    const zombie = await kit.run(
      before.commit(
        commitOf(kit, {
          offsets: [
            [0, 3],
            [1, 3],
          ],
        }),
      ),
    );
    expect(zombie).toEqual({ kind: "done", results: ["notCoordinator", "notCoordinator"] });
    const groupId = Array.from({ length: 100 }, (_, index) => `n${index}`).find(
      (name) => kit.cluster.slotOfGroup(name) === kit.cluster.slotOfGroup("g"),
    );
    const newGroup = await kit.run(
      before.commit(commitOf(kit, { groupId: groupId ?? "", offsets: [[0, 3]] })),
    );
    expect(newGroup).toEqual({ kind: "done", results: ["notCoordinator"] });
    expect(await offsetsOf(kit)).toEqual([[0, 2]]);
  });
});

describe("a slot that is released and comes back", () => {
  /** A commit that the store has and does not carry out yet, in a slot that is being released. */
  async function held() {
    const kit = await start();
    await kit.run(kit.groups.commit(commitOf(kit, { offsets: [[0, 1]] })));
    await kit.pass(1_000);
    const transact = kit.store.transact.bind(kit.store);
    let go: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => {
      go = resolve;
    });
    kit.store.transact = (writes) => slow.then(() => transact(writes));
    const committing = kit.groups.commit(commitOf(kit, { offsets: [[0, 2]] }));
    const slot = kit.cluster.slotOfGroup("g");
    const releasing = kit.groups.release([slot]);
    await kit.settle();
    return { kit, slot, committing, releasing, go };
  }

  test("shows what was under way, and is acknowledged after somebody asked", async () => {
    const { committing, go, kit, releasing } = await held();
    const asked = kit.groups.fetchOffsets("g", "all");
    await kit.settle();
    go();
    expect(await kit.run(committing)).toEqual({ kind: "done", results: ["committed"] });
    expect(await kit.run(asked)).toMatchObject([{ offset: 2 }]);
    await kit.run(releasing);
    expect(await offsetsOf(kit)).toEqual([[0, 2]]);
  });

  test("is not loaded, nor released once more, before what was under way has ended", async () => {
    const { committing, go, kit, slot } = await held();
    const ended: string[] = [];
    const again = kit.groups.release([slot]).then(() => ended.push("released"));
    await kit.settle();
    const asked = kit.groups.fetchOffsets("g", "all").then(() => ended.push("shown"));
    await kit.pass(60_000, 1_000);
    expect(ended).toEqual([]);
    go();
    await kit.run(Promise.all([again, asked]));
    expect(await committing).toEqual({ kind: "done", results: ["committed"] });
  });

  test("keeps out what was under way and was given up, once somebody was shown less", async () => {
    const { committing, go, kit } = await held();
    const asked = kit.groups.fetchOffsets("g", "all");
    await kit.settle();
    kit.store.rates = { perThousand: {}, lateMsMax: 60_000 };
    kit.store.plan(...Array.from({ length: 7 }, () => "lateEffect" as const));
    go();
    const results = ["coordinatorNotAvailable"];
    expect(await kit.run(committing)).toEqual({ kind: "done", results });
    const shown = await kit.run(asked);
    await kit.pass(70_000, 1_000);
    await kit.restart();
    expect(shown).toMatchObject([{ offset: (await offsetsOf(kit))[0]?.[1] }]);
  });
});
