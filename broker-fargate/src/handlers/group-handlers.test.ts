import {
  FaultyMetadataStore,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import {
  type ApiKey,
  apis,
  ErrorCode,
  Reader,
  responseDecoders,
  responseEncoders,
  uuidFromHex,
  Writer,
} from "@millrace/wire";
import { beforeAll, describe, expect, test } from "vitest";
import type { Broker } from "../broker.ts";
import { aloneView, noMisses } from "../cluster/alone-view.ts";
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

const strangeId = uuidFromHex(`${"0".repeat(31)}9`);
let kit: CoordinatorKit;
let broker: Broker;

beforeAll(async () => {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const store = new FaultyMetadataStore(new MemoryMetadataStore(), { clock, random });
  kit = await CoordinatorKit.start({ clock, random, store });
  const { cluster, groups } = kit;
  broker = {
    cluster,
    groups,
    view: aloneView(cluster, () => undefined),
    misses: noMisses,
  } as unknown as Broker;
});

/** Handles the request and sends the response through its codec, as a client would read it. */
async function ask<Request, Response>(
  handler: Handler<Request, Response>,
  version: number,
  request: Request,
): Promise<Record<string, unknown>> {
  const response = await kit.run(Promise.resolve(handler.handle(request, contextOf(version))));
  const encode = responseEncoders[handler.apiKey] as (
    writer: Writer,
    version: number,
    message: unknown,
  ) => void;
  const writer = new Writer("bare");
  encode(writer, version, response);
  const reader = new Reader(writer.finishBytes());
  const decoded: unknown = responseDecoders[handler.apiKey](reader, version);
  reader.expectEnd();
  return decoded as Record<string, unknown>;
}

function joinOf(groupId: string, memberId = "") {
  return {
    groupId,
    memberId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    groupInstanceId: null,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: new Uint8Array([0, 0, 0, 0, 0, 0]) }],
    reason: null,
  };
}

function syncOf(groupId: string, memberId: string, generationId: number) {
  const assignments = [{ memberId, assignment: new Uint8Array([1]) }];
  const names = { protocolType: "consumer", protocolName: "range" };
  return { groupId, memberId, generationId, groupInstanceId: null, ...names, assignments };
}

function commitOf(groupId: string, generation = -1, memberId = "") {
  return {
    groupId,
    generationIdOrMemberEpoch: generation,
    memberId,
    groupInstanceId: null,
    retentionTimeMs: -1,
    topics: ["t0", "nope"].map((name) => ({
      name,
      topicId: name === "t0" ? uuidFromHex(kit.topicIds[0] ?? "") : strangeId,
      partitions: [0, 9_999].map((partitionIndex) => ({
        partitionIndex,
        committedOffset: 5,
        committedLeaderEpoch: -1,
        committedMetadata: null,
      })),
    })),
  };
}

/** The partitions' error codes, topic by topic. */
function codesOf(response: Record<string, unknown>): readonly (readonly number[])[] {
  const topics = response["topics"] as { partitions: { errorCode: number }[] }[];
  return topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode));
}

describe("every version of the group's life", () => {
  test("joins, syncs, beats, commits, is described, and leaves", async () => {
    for (let version = 0; version <= 9; version += 1) {
      const groupId = `life-${version}`;
      let joined = await ask(joinGroupHandler(broker), version, joinOf(groupId));
      expect(joined["errorCode"]).toBe(version >= 4 ? ErrorCode.MEMBER_ID_REQUIRED : 0);
      const given = String(joined["memberId"]);
      if (version >= 4)
        joined = await ask(joinGroupHandler(broker), version, joinOf(groupId, given));
      expect(joined).toMatchObject({ errorCode: 0, generationId: 1, leader: given });
      const sync = syncOf(groupId, given, 1);
      const synced = await ask(syncGroupHandler(broker), Math.min(version, 5), sync);
      expect(synced).toMatchObject({ errorCode: 0, assignment: new Uint8Array([1]) });
      const beat = { groupId, memberId: given, generationId: 1, groupInstanceId: null };
      const beaten = await ask(heartbeatHandler(broker), Math.min(version, 4), beat);
      expect(beaten["errorCode"]).toBe(0);
      const described = await ask(describeGroupsHandler(broker), Math.min(version, 6), {
        groups: [groupId],
        includeAuthorizedOperations: version >= 3,
      });
      expect(described["groups"]).toMatchObject([
        { groupState: "Stable", protocolData: "range", members: [{ clientHost: "/127.0.0.1" }] },
      ]);
      const member = { memberId: given, groupInstanceId: null, reason: null };
      const leave = { groupId, memberId: given, members: [member] };
      const left = await ask(leaveGroupHandler(broker), Math.min(version, 5), leave);
      expect(left).toMatchObject({ errorCode: 0 });
    }
  });

  test("names errors where its version has room for them", async () => {
    for (let version = 0; version <= 9; version += 1) {
      const refused = await ask(joinGroupHandler(broker), version, joinOf("x", "who"));
      expect(refused).toMatchObject({
        errorCode: ErrorCode.UNKNOWN_MEMBER_ID,
        memberId: "who",
        protocolName: version >= 7 ? null : "",
      });
      const empty = await ask(joinGroupHandler(broker), version, joinOf(""));
      expect(empty["errorCode"]).toBe(ErrorCode.INVALID_GROUP_ID);
    }
    const nameless = { ...syncOf("x", "m", 1), protocolName: null };
    for (const [version, code] of [
      [4, "UNKNOWN_MEMBER_ID"],
      [5, "INCONSISTENT_GROUP_PROTOCOL"],
    ] as const) {
      const synced = await ask(syncGroupHandler(broker), version, nameless);
      expect(synced["errorCode"]).toBe(ErrorCode[code]);
    }
    const stranger = { memberId: "x", groupInstanceId: null, reason: null };
    const leave = { groupId: "x", memberId: "x", members: [stranger] };
    const alone = await ask(leaveGroupHandler(broker), 2, leave);
    expect(alone["errorCode"]).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    const batched = await ask(leaveGroupHandler(broker), 5, leave);
    expect(batched).toMatchObject({
      errorCode: 0,
      members: [{ memberId: "x", errorCode: ErrorCode.UNKNOWN_MEMBER_ID }],
    });
  });
});

describe("offsets", () => {
  test("are committed and fetched by name, and from v10 on by id", async () => {
    const unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    for (let version = 2; version <= 10; version += 1) {
      const request = commitOf(`commit-${version}`);
      const committed = await ask(offsetCommitHandler(broker), version, request);
      const strange = version >= 10 ? ErrorCode.UNKNOWN_TOPIC_ID : unknown;
      expect(codesOf(committed)).toEqual([
        [0, unknown],
        [strange, strange],
      ]);
    }
    for (let version = 1; version <= 10; version += 1) {
      const asked = commitOf("").topics.map(({ name, topicId }) => {
        return { name, topicId, partitionIndexes: [0, 1] };
      });
      const groupId = "commit-2";
      const group = { groupId, memberId: null, memberEpoch: -1, topics: asked };
      const request = { groupId, topics: asked, groups: [group], requireStable: version >= 7 };
      const fetched = await ask(offsetFetchHandler(broker), version, request);
      const [found] = version >= 8 ? (fetched["groups"] as Record<string, unknown>[]) : [fetched];
      const strange = version >= 10 ? ErrorCode.UNKNOWN_TOPIC_ID : 0;
      expect(codesOf(found ?? {})).toEqual([
        [0, 0],
        [strange, strange],
      ]);
      expect(found?.["topics"]).toMatchObject([
        { partitions: [{ committedOffset: 5, metadata: "" }, { committedOffset: -1 }] },
        { partitions: [{ committedOffset: -1 }, { committedOffset: -1 }] },
      ]);
    }
  });

  test("are told once, however often a request repeats what it asks for", async () => {
    for (const version of [2, 7, 8, 10]) {
      const [topicId = strangeId] = kit.topicIds;
      const again = { name: "t0", topicId: uuidFromHex(topicId) };
      const repeats = { ...again, partitionIndexes: Array.from({ length: 1_000 }, () => 0) };
      const topics = [repeats, repeats, { ...again, partitionIndexes: [1, 0] }];
      const group = { groupId: "commit-2", memberId: null, memberEpoch: -1, topics };
      const request = { ...group, groups: [group], requireStable: false };
      const fetched = await ask(offsetFetchHandler(broker), version, request);
      const [found] = version >= 8 ? (fetched["groups"] as Record<string, unknown>[]) : [fetched];
      expect(found?.["topics"]).toMatchObject([
        { partitions: [{ partitionIndex: 0, committedOffset: 5 }, { partitionIndex: 1 }] },
      ]);
    }
  });

  test("of all topics are those of topics that are there", async () => {
    for (const version of [2, 7, 8, 10]) {
      const group = { groupId: "commit-2", memberId: null, memberEpoch: -1, topics: null };
      const request = { ...group, groups: [group], requireStable: false };
      const fetched = await ask(offsetFetchHandler(broker), version, request);
      const [found] = version >= 8 ? (fetched["groups"] as Record<string, unknown>[]) : [fetched];
      const reference = version >= 10 ? { topicId: kit.topicIds[0] } : { name: "t0" };
      expect(found?.["topics"]).toMatchObject([
        { ...reference, partitions: [{ committedOffset: 5 }] },
      ]);
    }
  });

  test("of a member without a group are refused in the words of the version", async () => {
    for (const [version, code] of [
      [8, "ILLEGAL_GENERATION"],
      [9, "GROUP_ID_NOT_FOUND"],
    ] as const) {
      const committed = await ask(offsetCommitHandler(broker), version, commitOf("no", 3, "m"));
      expect(codesOf(committed)[0]?.[0]).toBe(ErrorCode[code]);
    }
  });

  test("are deleted where they are, and their absence is no error", async () => {
    const topics = [
      {
        name: "t0",
        partitions: [{ partitionIndex: 0 }, { partitionIndex: 1 }, { partitionIndex: 9_999 }],
      },
      { name: "nope", partitions: [{ partitionIndex: 0 }] },
    ];
    const unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    const deleted = await ask(offsetDeleteHandler(broker), 0, { groupId: "commit-3", topics });
    expect(codesOf(deleted)).toEqual([[0, 0, unknown], [unknown]]);
    const absent = await ask(offsetDeleteHandler(broker), 0, { groupId: "no", topics });
    expect(absent).toMatchObject({ errorCode: ErrorCode.GROUP_ID_NOT_FOUND, topics: [] });
    const empty = await ask(offsetDeleteHandler(broker), 0, { groupId: "", topics });
    expect(empty["errorCode"]).toBe(ErrorCode.INVALID_GROUP_ID);
  });
});

describe("administration", () => {
  test("describes what is not there as Dead, from v6 on with an error", async () => {
    for (let version = 0; version <= 6; version += 1) {
      const request = { groups: ["gone"], includeAuthorizedOperations: false };
      const described = await ask(describeGroupsHandler(broker), version, request);
      const errorCode = version >= 6 ? ErrorCode.GROUP_ID_NOT_FOUND : 0;
      expect(described["groups"]).toMatchObject([{ groupState: "Dead", errorCode }]);
    }
  });

  test("lists by state and type, whatever the case", async () => {
    const list = async (statesFilter: readonly string[], typesFilter: readonly string[]) => {
      const listed = await ask(listGroupsHandler(broker), 5, { statesFilter, typesFilter });
      return (listed["groups"] as unknown[]).length;
    };
    const all = await list([], []);
    expect(all).toBeGreaterThan(10);
    expect(await list(["EMPTY "], ["Classic"])).toBe(all);
    expect(await list(["Stable"], [])).toBe(0);
    expect(await list([], ["consumer"])).toBe(0);
    for (let version = 0; version <= 5; version += 1) {
      await ask(listGroupsHandler(broker), version, { statesFilter: [], typesFilter: [] });
    }
  });

  test("deletes each group once, however often it is named", async () => {
    for (let version = 0; version <= 3; version += 1) {
      const groupsNames = [`commit-${version + 4}`, "gone", `commit-${version + 4}`];
      const deleted = await ask(deleteGroupsHandler(broker), version, { groupsNames });
      expect(deleted["results"]).toMatchObject([
        { errorCode: 0, errorMessage: null },
        { groupId: "gone", errorCode: ErrorCode.GROUP_ID_NOT_FOUND },
      ]);
    }
  });

  test("tells of each group once, however often it is named: an answer is bounded by what there is", async () => {
    const groups = Array.from({ length: 1_000 }, () => "commit-3");
    const request = { groups, includeAuthorizedOperations: false };
    const described = await ask(describeGroupsHandler(broker), 6, request);
    expect(described["groups"]).toHaveLength(1);
    const all = { memberId: null, memberEpoch: -1, topics: null };
    const fetching = {
      ...{ groupId: "", topics: null, requireStable: false },
      groups: groups.map((groupId) => ({ groupId, ...all })),
    };
    const fetched = await ask(offsetFetchHandler(broker), 9, fetching);
    expect(fetched["groups"]).toMatchObject([{ groupId: "commit-3", errorCode: ErrorCode.NONE }]);
  });

  test("gives a member with the longest name that there is an id that it can be told", async () => {
    for (const name of ["n".repeat(32_767), "名".repeat(10_922), `${"🚀".repeat(8_191)}abc`]) {
      const request = { ...joinOf(`long-${name.length}`), groupInstanceId: name };
      const response = await ask(joinGroupHandler(broker), 9, request);
      const { errorCode, memberId } = response as { errorCode: number; memberId: string };
      expect(errorCode).toBe(ErrorCode.NONE);
      expect(memberId.startsWith(name.slice(0, 100))).toBe(true);
    }
  });

  test("finds this broker for groups, and nobody for what is not served", async () => {
    for (let version = 0; version <= 6; version += 1) {
      for (const keyType of version === 0 ? [0] : [0, 1, 2, 7]) {
        const request = { key: "g", keyType, coordinatorKeys: ["g", ""] };
        const found = await ask(findCoordinatorHandler(broker), version, request);
        const answers = version >= 4 ? (found["coordinators"] as object[]) : [found];
        expect(answers).toHaveLength(version >= 4 ? 2 : 1);
        for (const answer of answers) {
          expect(answer).toMatchObject(
            keyType === 0
              ? { errorCode: 0, nodeId: 1, host: "broker", port: 9092 }
              : { errorCode: ErrorCode.INVALID_REQUEST, nodeId: -1, host: "", port: -1 },
          );
        }
      }
    }
    expect(kit.cluster.topics.byName("__consumer_offsets")?.isInternal).toBe(true);
  });
});

test("each handler serves every version that its API has", () => {
  const handlers: readonly { readonly apiKey: ApiKey; readonly versions: object }[] = [
    offsetCommitHandler(broker),
    offsetFetchHandler(broker),
    findCoordinatorHandler(broker),
    joinGroupHandler(broker),
    heartbeatHandler(broker),
    leaveGroupHandler(broker),
    syncGroupHandler(broker),
    describeGroupsHandler(broker),
    listGroupsHandler(broker),
    deleteGroupsHandler(broker),
    offsetDeleteHandler(broker),
  ];
  for (const { apiKey, versions } of handlers) {
    const { minVersion: min, maxVersion: max } = apis[apiKey];
    expect(versions).toEqual({ min, max });
  }
});
