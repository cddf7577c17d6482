import type { Slot, TopicId } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { joining, type Member } from "../group/coordinator-kit.ts";
import type { CommitRequest } from "../group/offset-store.ts";
import { ClusterRig, otherThan, type RigBroker } from "../../../test/fixtures/cluster-rig.ts";

const groupId = "g";

interface Scene {
  readonly rig: ClusterRig;
  readonly slot: Slot;
  readonly topic: TopicId;
  readonly coordinator: RigBroker;
  readonly other: RigBroker;
  readonly member: Member;
}

/** A group of one member, with one committed offset, and who coordinates it. */
async function scene(): Promise<Scene> {
  const rig = new ClusterRig();
  const brokers = await rig.start(1, 2);
  const topic = await rig.createTopic("t");
  const slot = brokers[0]?.cluster.slotOfGroup(groupId) as Slot;
  const coordinator = await rig.leaderOf(slot);
  const joined = await rig.run(coordinator.groups.join(groupId, joining({})));
  if (joined.kind === "refused") throw new Error(joined.reason);
  const { generation, memberId } = joined;
  const member: Member = { memberId, generation, instanceId: null };
  const synced = await rig.run(
    coordinator.groups.sync(groupId, {
      ...member,
      ...{ protocolType: "consumer", protocolName: "range" },
      assignments: new Map([[memberId, new Uint8Array([7])]]),
    }),
  );
  if (synced.kind === "refused") throw new Error(synced.reason);
  const at: Scene = {
    rig,
    slot,
    topic,
    coordinator,
    member,
    other: otherThan(coordinator, brokers),
  };
  await rig.run(coordinator.groups.commit(commit(at, 5)));
  return at;
}

function commit({ member, topic }: Scene, offset: number): CommitRequest {
  const commits = [{ topicId: topic, partition: 0, offset, leaderEpoch: -1, metadata: "" }];
  return { groupId, ...member, retentionMs: null, commits };
}

async function committed({ rig, slot }: Scene): Promise<unknown> {
  const { groups } = await rig.leaderOf(slot);
  const fetched = await rig.run(groups.fetchOffsets(groupId, "all"));
  if (typeof fetched === "string") return fetched;
  return fetched.map(({ offset }) => offset);
}

describe("a group", () => {
  it("goes on after its coordinator's death, with its generation, members and commits", async () => {
    const at = await scene();
    const { coordinator, member, other, rig } = at;
    rig.kill(coordinator);
    await rig.settled();
    const beat = other.groups.heartbeat(groupId, member);
    expect(await rig.run(beat)).toBe("alive");
    expect(await committed(at)).toEqual([5]);
    const more = await rig.run(other.groups.commit(commit(at, 6)));
    expect(more).toEqual({ kind: "done", results: ["committed"] });
    const described = await rig.run(other.groups.describe(groupId));
    expect(described).toMatchObject({ state: "Stable" });
  });

  it("is not available, and no more, while the object store keeps a journal from being closed", async () => {
    const at = await scene();
    const { coordinator, member, other, rig, slot } = at;
    rig.objects.rates = { perThousand: { slowDown: 1_000 } };
    rig.kill(coordinator);
    await rig.until(() => other.cluster.view.leads(slot));
    const asked = await rig.run(other.groups.heartbeat(groupId, member));
    expect(asked).toBe("coordinatorNotAvailable");
    rig.objects.rates = { perThousand: {} };
    await rig.settled();
    expect(await committed(at)).toEqual([5]);
  });

  it("loses a member that is silent, though nobody asks for the group after a takeover", async () => {
    const at = await scene();
    const { coordinator, other, rig } = at;
    rig.kill(coordinator);
    await rig.settled();
    await rig.pass(30_000);
    expect(await rig.run(other.groups.describe(groupId))).toMatchObject({ state: "Empty" });
  });

  it("goes on at another broker after a move, and nothing of it stays", async () => {
    const at = await scene();
    const { coordinator, member, other, rig, slot } = at;
    let asked: Promise<unknown> | undefined;
    coordinator.life.fate = (call) => {
      const writes = call.kind === "transact" ? call.writes : [];
      const isRelease = writes.some(
        (write) => write.kind === "put" && write.value["owner"] === null,
      );
      // Its slot is closed by now, and leadership still names this broker.
      if (isRelease) asked ??= coordinator.groups.commit(commit(at, 77));
      return "goes";
    };
    await rig.wish([slot], coordinator, other);
    await rig.until(async () => (await rig.leaders())[slot] === other.incarnation);
    await rig.settled();
    const results = ["notCoordinator"];
    expect(await rig.run(Promise.resolve(asked))).toEqual({ kind: "done", results });
    expect(await rig.run(other.groups.heartbeat(groupId, member))).toBe("alive");
    const left = await rig.run(coordinator.groups.heartbeat(groupId, member));
    expect(left).toBe("notCoordinator");
    expect(await committed(at)).toEqual([5]);
  });

  it("shows a commit that was under way when a move was called off, once that is acknowledged", async () => {
    const at = await scene();
    const { coordinator, other, rig, slot } = at;
    let go: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => {
      go = resolve;
    });
    let isUnderWay = false;
    coordinator.life.fate = ({ key, kind }) => {
      if (kind !== "transact" || !key.includes("/offsets/")) return "goes";
      isUnderWay = true;
      return slow;
    };
    const committing = rig.run(coordinator.groups.commit(commit(at, 6)));
    await rig.until(() => isUnderWay);
    await rig.wish([slot], coordinator, other);
    await rig.until(() => coordinator.cluster.findOpenSlot(slot) === undefined);
    await rig.until(() => coordinator.cluster.findOpenSlot(slot) !== undefined);
    const asked = coordinator.groups.fetchOffsets(groupId, "all");
    await rig.pass(100);
    go();
    expect(await committing).toEqual({ kind: "done", results: ["committed"] });
    expect(await committed(at)).toEqual([6]);
    expect(await asked).toMatchObject([{ offset: 6 }]);
    await rig.until(async () => (await rig.leaders())[slot] === other.incarnation);
    await rig.settled();
    expect(await committed(at)).toEqual([6]);
  });

  it("takes no commit of a coordinator that was replaced while it stood still", async () => {
    const at = await scene();
    const { coordinator, other, rig } = at;
    // Held at the last moment: decided, and not with the store yet.
    let go: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    coordinator.life.fate = ({ key }) => (key.includes("/offsets/") ? held : "goes");
    const late = coordinator.groups.commit(commit(at, 99));
    await rig.pass(50);
    coordinator.life.pause();
    await rig.until(async () => (await rig.headOf(at.slot))?.owner === other.incarnation);
    await rig.settled();
    expect(await committed(at)).toEqual([5]);
    go();
    await rig.pass(1);
    coordinator.life.resume();
    const answer = await rig.run(late);
    expect(JSON.stringify(answer)).not.toContain("committed");
    rig.kill(other);
    await rig.settled();
    expect(await committed(at)).toEqual([5]);
  });
});
