import {
  FaultyMetadataStore,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { keys, MetadataError, type Slot } from "@millrace/core";
import { ErrorCode, uuidFromHex } from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import type { Broker } from "../broker.ts";
import { noMisses } from "../cluster/alone-view.ts";
import { CoordinatorKit } from "../group/coordinator-kit.ts";
import { offsetCommitHandler } from "./08-offset-commit.ts";
import { offsetFetchHandler } from "./09-offset-fetch.ts";
import { findCoordinatorHandler } from "./10-find-coordinator.ts";
import { joinGroupHandler } from "./11-join-group.ts";
import { heartbeatHandler } from "./12-heartbeat.ts";
import { leaveGroupHandler } from "./13-leave-group.ts";
import { syncGroupHandler } from "./14-sync-group.ts";
import { describeGroupsHandler } from "./15-describe-groups.ts";
import { listGroupsHandler } from "./16-list-groups.ts";
import { deleteGroupsHandler } from "./42-delete-groups.ts";
import { offsetDeleteHandler } from "./47-offset-delete.ts";
import type { Handler } from "./handler.ts";
import { contextOf } from "./partition-kit.ts";
import { ThreeBrokers } from "./three-brokers.ts";

const { COORDINATOR_NOT_AVAILABLE, NONE, NOT_COORDINATOR, UNKNOWN_MEMBER_ID } = ErrorCode;
const away = new MetadataError("away", { retriable: true, applied: "no" });
let kit: CoordinatorKit;
let broker: Broker;
let view: ThreeBrokers;

/** Broker 1 of three, which leads every slot but those of `their-group` and `orphan`. */
beforeEach(async () => {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const store = new FaultyMetadataStore(new MemoryMetadataStore(), { clock, random });
  kit = await CoordinatorKit.start({ clock, random, store });
  view = new ThreeBrokers(kit.cluster);
  kit.view = view;
  await kit.restart();
  broker = {
    clock,
    cluster: kit.cluster,
    groups: kit.groups,
    view,
    misses: noMisses,
  } as unknown as Broker;
  view.lead(slotOf("their-group"), 2);
  view.lead(slotOf("orphan"), "nobody");
});

const slotOf = (groupId: string): Slot => kit.cluster.slotOfGroup(groupId);

async function ask<Request, Response>(
  handler: Handler<Request, Response>,
  version: number,
  request: Request,
): Promise<Response> {
  const response = await kit.run(Promise.resolve(handler.handle(request, contextOf(version))));
  if (response === undefined) throw new Error("the request was not answered");
  return response;
}

function commit(groupId: string): Promise<number | undefined> {
  const topicId = uuidFromHex(kit.topicIds[0] ?? "");
  const partition = { partitionIndex: 0, committedOffset: 5, committedLeaderEpoch: -1 };
  const partitions = [{ ...partition, committedMetadata: null }];
  return ask(offsetCommitHandler(broker), 9, {
    ...{ groupId, generationIdOrMemberEpoch: -1, memberId: "", groupInstanceId: null },
    ...{ retentionTimeMs: -1, topics: [{ name: "t0", topicId, partitions }] },
  }).then(({ topics }) => topics[0]?.partitions[0]?.errorCode);
}

function heartbeat(groupId: string): Promise<number | undefined> {
  const member = { memberId: "nobody", generationId: 1, groupInstanceId: null };
  return ask(heartbeatHandler(broker), 4, { groupId, ...member }).then((r) => r.errorCode);
}

function join(groupId: string): Promise<number | undefined> {
  return ask(joinGroupHandler(broker), 9, {
    ...{ groupId, memberId: "", groupInstanceId: null, reason: null },
    ...{ sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000, protocolType: "consumer" },
    protocols: [{ name: "range", metadata: new Uint8Array(6) }],
  }).then(({ errorCode }) => errorCode);
}

/** The committed offset of t0's first partition, or the error. */
async function fetched(groupId: string): Promise<readonly (number | undefined)[]> {
  const topicId = uuidFromHex(kit.topicIds[0] ?? "");
  const topics = [{ name: "t0", topicId, partitionIndexes: [0] }];
  const { groups = [] } = await ask(offsetFetchHandler(broker), 9, {
    ...{ groupId: "", topics: [], requireStable: true },
    groups: [{ groupId, memberId: null, memberEpoch: -1, topics }],
  });
  const [group] = groups;
  return [group?.errorCode, group?.topics[0]?.partitions[0]?.committedOffset];
}

/** The error of every request about one group. */
async function errors(groupId: string): Promise<Record<string, number | undefined>> {
  const member = { memberId: "x", groupInstanceId: null, reason: null };
  const synced = await ask(syncGroupHandler(broker), 5, {
    ...{ groupId, memberId: "x", generationId: 1, groupInstanceId: null, assignments: [] },
    ...{ protocolType: "consumer", protocolName: "range" },
  });
  const left = await ask(leaveGroupHandler(broker), 5, {
    groupId,
    memberId: "",
    members: [member],
  });
  const groups = [groupId];
  const asked = { groups, includeAuthorizedOperations: false };
  const described = await ask(describeGroupsHandler(broker), 6, asked);
  const deleted = await ask(deleteGroupsHandler(broker), 3, { groupsNames: groups });
  const topics = [{ name: "t0", partitions: [{ partitionIndex: 0 }] }];
  const removed = await ask(offsetDeleteHandler(broker), 0, { groupId, topics });
  return {
    join: await join(groupId),
    sync: synced.errorCode,
    heartbeat: await heartbeat(groupId),
    leave: left.errorCode,
    commit: await commit(groupId),
    fetch: (await fetched(groupId))[0],
    describe: described.groups[0]?.errorCode,
    delete: deleted.results[0]?.errorCode,
    deleteOffsets: removed.errorCode,
  };
}

function everyError(code: number): Record<string, number> {
  const names = "join sync heartbeat leave commit fetch describe delete deleteOffsets".split(" ");
  return Object.fromEntries(names.map((name) => [name, code]));
}

describe("FindCoordinator", () => {
  it("names the broker that leads the group's slot, at its address for the same listener", async () => {
    const coordinatorKeys = ["ours", "their-group", "orphan"];
    const { coordinators } = await ask(findCoordinatorHandler(broker), 6, {
      ...{ key: "", keyType: 0, coordinatorKeys },
    });
    expect(coordinators).toMatchObject([
      { key: "ours", errorCode: NONE, nodeId: 1, host: "broker", port: 9092 },
      { key: "their-group", errorCode: NONE, nodeId: 2, host: "plaintext-2", port: 9092 },
      { key: "orphan", errorCode: COORDINATOR_NOT_AVAILABLE, nodeId: -1, port: -1 },
    ]);
  });

  it("does so of one group before v4, and not of a broker that can't be reached", async () => {
    const request = { key: "their-group", keyType: 0, coordinatorKeys: [] };
    const found = await ask(findCoordinatorHandler(broker), 3, request);
    expect(found).toMatchObject({ errorCode: NONE, errorMessage: "NONE", nodeId: 2 });
    view.live = view.live.filter((id) => id !== 2);
    const lost = await ask(findCoordinatorHandler(broker), 3, request);
    expect(lost).toMatchObject({ errorCode: COORDINATOR_NOT_AVAILABLE, nodeId: -1 });
  });
});

describe("a group whose slot another broker leads, or nobody", () => {
  it.each(["their-group", "orphan"])(
    "is answered with NOT_COORDINATOR, and not claimed: %s",
    async (groupId) => {
      const before = kit.transactions.length;
      expect(await errors(groupId)).toEqual(everyError(NOT_COORDINATOR));
      const written = kit.transactions.slice(before).flat();
      const prefix = keys.slot(slotOf(groupId));
      expect(written.filter(({ key }) => key.startsWith(prefix))).toEqual([]);
    },
  );

  it("is answered so by a coordinator too that has the slot open from before", async () => {
    expect(await commit("moving")).toBe(NONE);
    expect(kit.cluster.findOpenSlot(slotOf("moving"))).toBeDefined();
    view.lead(slotOf("moving"), 3);
    expect(await errors("moving")).toEqual(everyError(NOT_COORDINATOR));
  });

  it("is not listed, and its slot is opened only once this broker leads it", async () => {
    await commit("ours");
    const slot = slotOf("moving");
    expect(await commit("moving")).toBe(NONE);
    const list = async (): Promise<unknown> => {
      const { groups } = await ask(listGroupsHandler(broker), 5, {
        statesFilter: [],
        typesFilter: [],
      });
      return groups.map(({ groupId }) => groupId).sort();
    };
    expect(await list()).toEqual(["moving", "ours"]);
    view.lead(slot, 3);
    expect(await list()).toEqual(["ours"]);
    await kit.restart();
    broker = { ...broker, cluster: kit.cluster, groups: kit.groups };
    expect(await list()).toEqual(["ours"]);
    expect(kit.cluster.findOpenSlot(slot)).toBeUndefined();
    view.giveBack(slot);
    expect(await list()).toEqual(["moving", "ours"]);
  });
});

describe("a coordinator that may have been replaced without knowing", () => {
  it("answers every request about a group with NOT_COORDINATOR", async () => {
    expect(await commit("ours")).toBe(NONE);
    view.hasEvidence = false;
    expect(await errors("ours")).toEqual(everyError(NOT_COORDINATOR));
    const listed = await ask(listGroupsHandler(broker), 5, { statesFilter: [], typesFilter: [] });
    expect(listed).toEqual({ errorCode: COORDINATOR_NOT_AVAILABLE, groups: [] });
  });

  it.each([
    ["is still its own", UNKNOWN_MEMBER_ID, () => Promise.resolve(true)],
    ["is another's", NOT_COORDINATOR, () => Promise.resolve(false)],
    ["can't be asked for", COORDINATOR_NOT_AVAILABLE, () => Promise.reject(away)],
  ])("reads the head for an answer that took too long: the slot %s", async (_, code, readHead) => {
    view.readHead = readHead;
    const answer = broker.groups.heartbeat.bind(broker.groups);
    broker.groups.heartbeat = (groupId, member) => {
      view.hasEvidence = false;
      return answer(groupId, member);
    };
    expect(await heartbeat("ours")).toBe(code);
    expect(view.headsRead).toEqual([slotOf("ours")]);
  });
});

describe("OffsetFetch", () => {
  it.each([
    ["is still its own", [NONE, 5], () => Promise.resolve(true)],
    ["is another's", [NOT_COORDINATOR, undefined], () => Promise.resolve(false)],
    ["can't be asked for", [COORDINATOR_NOT_AVAILABLE, undefined], () => Promise.reject(away)],
  ])("is answered after a strong read of the head: the slot %s", async (_, found, readHead) => {
    expect(await commit("ours")).toBe(NONE);
    view.readHead = readHead;
    expect(await fetched("ours")).toEqual(found);
    expect(view.headsRead).toEqual([slotOf("ours")]);
  });

  it("begins that read after its own slot is open, which may have to be claimed first", async () => {
    view.readHead = (slot) => Promise.resolve(kit.cluster.findOpenSlot(slot) !== undefined);
    expect(kit.cluster.findOpenSlot(slotOf("ours"))).toBeUndefined();
    expect(await fetched("ours")).toEqual([NONE, -1]);
  });
});
