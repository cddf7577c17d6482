import { zeroUuid } from "@millrace/wire";
import { describe, expect, test } from "vitest";
import {
  type FetchPosition,
  FetchSessions,
  positionKey,
  type Session,
  type SessionRequest,
} from "./session.ts";

function position(partition: number, fetchOffset = 0): FetchPosition {
  return {
    topic: "t",
    topicId: zeroUuid,
    partition,
    currentLeaderEpoch: -1,
    fetchOffset,
    lastFetchedEpoch: -1,
    maxBytes: 1000,
  };
}

function request(sessionId: number, sessionEpoch: number, asked: FetchPosition[]): SessionRequest {
  return { sessionId, sessionEpoch, usesTopicIds: false, asked, forgotten: [] };
}

function rig(limits = { sessionsMax: 2, partitionsMax: 10, evictAfterMs: 1000 }) {
  const time = { nowMs: 0 };
  let draws = 0;
  const sessions = new FetchSessions({
    clock: {
      wallMs: () => 0,
      monotonicMs: () => time.nowMs,
      after: () => ({ cancel: () => undefined }),
    },
    random: {
      bytes: (length) => new Uint8Array(length),
      below: () => {
        draws += 1;
        return draws;
      },
    },
    limits,
  });
  const create = (...partitions: readonly number[]): Session => {
    const entries = partitions.map((partition) => ({
      asked: position(partition),
      highWatermark: -1,
      logStartOffset: -1,
    }));
    const session = sessions.create(entries, { usesTopicIds: false });
    if (session === undefined) throw new Error("there was no room");
    return session;
  };
  return { sessions, time, create };
}

describe("fetch sessions", () => {
  test("a request in the next epoch is incremental, and changes what the session asks for", () => {
    const { sessions, create } = rig();
    const session = create(0, 1);
    const choice = sessions.choose({
      ...request(session.id, 1, [position(1, 7), position(2)]),
      forgotten: [{ key: positionKey(position(0)) }],
    });
    expect(choice).toMatchObject({ kind: "incremental" });
    expect(session.epoch).toBe(2);
    expect([...session.partitions.values()].map(({ asked }) => asked)).toEqual([
      position(1, 7),
      position(2),
    ]);
    expect(sessions.partitionCount).toBe(2);
  });

  test("a repeated or skipped epoch, and an unknown session, are told apart", () => {
    const { sessions, create } = rig();
    const { id } = create(0);
    expect(sessions.choose(request(id, 2, [])).kind).toBe("wrongEpoch");
    expect(sessions.choose(request(id, 1, [])).kind).toBe("incremental");
    expect(sessions.choose(request(id, 1, [])).kind).toBe("wrongEpoch");
    expect(sessions.choose(request(id + 1, 1, [])).kind).toBe("unknownSession");
  });

  test("a session keeps to the kind of topic reference that it began with", () => {
    const { sessions, create } = rig();
    const { id } = create(0);
    expect(sessions.choose({ ...request(id, 1, []), usesTopicIds: true }).kind).toBe(
      "topicIdsChanged",
    );
  });

  test("epoch 0 and epoch -1 end the session that they name", () => {
    const { sessions, create } = rig();
    expect(sessions.choose(request(create(0).id, 0, [])).kind).toBe("full");
    expect(sessions.choose(request(create(0).id, -1, [])).kind).toBe("sessionless");
    expect(sessions.size).toBe(0);
    expect(sessions.partitionCount).toBe(0);
  });

  test("a session that forgets its last partition ends", () => {
    const { sessions, create } = rig();
    const { id } = create(0);
    const choice = sessions.choose({
      ...request(id, 1, []),
      forgotten: [{ key: positionKey(position(0)) }],
    });
    expect(choice.kind).toBe("sessionless");
    expect(sessions.size).toBe(0);
  });

  test("the epoch after the largest is 1, because 0 would ask for a new session", () => {
    const { sessions, create } = rig();
    const session = create(0);
    session.epoch = 0x7fffffff;
    sessions.choose(request(session.id, 0x7fffffff, []));
    expect(session.epoch).toBe(1);
  });

  test("a session that grows past what all may remember ends", () => {
    const { sessions, create } = rig();
    create(0, 1);
    const { id } = create(0, 1, 2, 3);
    const four = [4, 5, 6, 7].map((partition) => position(partition));
    expect(sessions.choose(request(id, 1, four)).kind).toBe("incremental");
    expect(sessions.partitionCount).toBe(10);
    expect(sessions.choose(request(id, 2, [position(7, 9)])).kind).toBe("incremental");
    const forgotten = [{ key: positionKey(position(7)) }, { key: positionKey(position(7)) }];
    const exchange = { ...request(id, 3, [position(8)]), forgotten };
    expect(sessions.choose(exchange).kind).toBe("incremental");
    expect(sessions.partitionCount).toBe(10);
    const more = { ...request(id, 4, [position(7), position(9)]), forgotten };
    expect(sessions.choose(more).kind).toBe("unknownSession");
    expect([sessions.size, sessions.partitionCount]).toEqual([1, 2]);
  });

  test("nothing is remembered under a name that no topic can have: it may be very long", () => {
    const { sessions, create } = rig();
    const strange = { ...position(0), topic: "x".repeat(250) };
    const entry = { asked: strange, highWatermark: -1, logStartOffset: -1 };
    expect(sessions.create([entry], { usesTopicIds: false })).toBeUndefined();
    const { id } = create(0);
    expect(sessions.choose(request(id, 1, [strange])).kind).toBe("unknownSession");
    expect(sessions.size).toBe(0);
  });

  test("when full, a session gives way only after it was unused for long enough", () => {
    const { sessions, time, create } = rig();
    const first = create(0);
    const second = create(1);
    time.nowMs = 999;
    expect(sessions.create([], { usesTopicIds: false })).toBeUndefined();
    sessions.choose(request(first.id, 1, []));
    time.nowMs = 1500;
    create(2);
    expect(sessions.choose(request(second.id, 1, [])).kind).toBe("unknownSession");
    expect(sessions.choose(request(first.id, 2, [])).kind).toBe("incremental");
  });

  test("all sessions together remember a bounded number of partitions", () => {
    const { sessions, create } = rig({ sessionsMax: 10, partitionsMax: 3, evictAfterMs: 1000 });
    create(0, 1);
    const two = [0, 1].map((p) => ({ asked: position(p), highWatermark: -1, logStartOffset: -1 }));
    expect(sessions.create(two, { usesTopicIds: false })).toBeUndefined();
  });
});
