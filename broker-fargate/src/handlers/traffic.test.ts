import type { Load } from "@millrace/core";
import { zeroUuid } from "@millrace/wire";
import { expect, it } from "vitest";
import { trafficWindowMs } from "../cluster/limits.ts";
import { produceHandler } from "./00-produce.ts";
import { fetchHandler } from "./01-fetch.ts";
import { batch, contextOf, HandlerKit } from "./partition-kit.ts";

const version = 12;
const broken = batch(3).fill(0xff, -1);

async function produce(kit: HandlerKit, records: Uint8Array): Promise<void> {
  const partitionData = [{ index: 1, records }];
  await kit.ask(produceHandler(kit.broker), version, {
    ...{ acks: -1, transactionalId: null, timeoutMs: 1000 },
    topicData: [{ name: "t", topicId: zeroUuid, partitionData }],
  });
}

async function fetchAll(kit: HandlerKit): Promise<void> {
  const asked = {
    ...{ partition: 1, fetchOffset: 0, currentLeaderEpoch: -1, lastFetchedEpoch: -1 },
    ...{ logStartOffset: -1, partitionMaxBytes: 10_000, replicaDirectoryId: zeroUuid },
    ...{ highWatermark: 0 },
  };
  const request = {
    ...{ clusterId: null, replicaId: -1, maxWaitMs: 0, minBytes: 0, maxBytes: 10_000 },
    ...{ isolationLevel: 0, sessionId: 0, sessionEpoch: -1, forgottenTopicsData: [], rackId: "" },
    replicaState: { replicaId: -1, replicaEpoch: -1 },
    topics: [{ topic: "t", topicId: zeroUuid, partitions: [asked as never] }],
  };
  await kit.settled(
    Promise.resolve(fetchHandler(kit.broker).handle(request as never, contextOf(version))),
  );
}

/** Once the window has passed: of what was counted a part that depends on time alone. */
async function told(kit: HandlerKit): Promise<Load> {
  kit.rig.clock.advance(trafficWindowMs);
  return kit.broker.traffic.load(() => true);
}

it("is what was appended and what was read, by the partition's slot; what is refused is none", async () => {
  const kit = await HandlerKit.start();
  const topicId = await kit.createTopic("t", { partitions: 3 });
  const slot = kit.broker.cluster.slotOfPartition(topicId as never, 1);
  await produce(kit, broken);
  expect(await told(kit)).toEqual({ total: 0, slots: [] });
  await produce(kit, batch(300));
  const { slots } = await told(kit);
  expect(slots.map(([one]) => one)).toEqual([slot]);
  const written = slots[0]?.[1] ?? 0;
  kit.rig.clock.advance(50 * trafficWindowMs);
  expect(kit.broker.traffic.load(() => true).total).toBe(0);
  await fetchAll(kit);
  expect((await told(kit)).total).toBeCloseTo(written, -1);
});
