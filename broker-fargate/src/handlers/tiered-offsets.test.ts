/** What a tiered partition tells of its tiers, and of the history that only the object store has. */
import type { TopicId } from "@millrace/core";
import { beforeEach, describe, expect, it } from "vitest";
import { appendEach, Rig } from "../partition/fixtures.ts";
import { partitionDirectory } from "../partition/log-opener.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { checked, tierLimits } from "../tier/limits.ts";
import { listOffsetsHandler } from "./02-list-offsets.ts";
import { offsetForLeaderEpochHandler } from "./23-offset-for-leader-epoch.ts";
import { HandlerKit } from "./partition-kit.ts";

const limits = checked({ ...tierLimits, coldSegmentBytesMin: 1_000, coldSegmentBytesMax: 2_000 });
/** After it the object store has what was appended before. */
const tieredMs = 70_000;
let rig: Rig;
let id: TopicId;

beforeEach(async () => {
  rig = await new Rig({ tierLimits: limits }).start();
  id = await rig.createTopic("t", { configs: { "millrace.durability": "journal" } });
});

const open = (): Promise<PartitionOwner> => rig.partitions.open(id, 0);

/** So many records of one batch each; the epoch that they were appended under. */
async function append(count: number): Promise<number> {
  const owner = await open();
  await appendEach(owner, Array.from<number>({ length: count }).fill(0));
  return owner.leaderEpoch;
}

/** Nothing that the object store has is on the disk any more. */
async function dropHotCopies(): Promise<void> {
  const owner = await open();
  owner.log.config = { ...owner.log.config, segmentBytes: 1 };
  owner.log.removeLocalBefore(owner.latestTieredOffset + 1);
}

describe("ListOffsets of a tiered partition", () => {
  /** Offset and leader epoch. */
  async function at(timestamp: number): Promise<readonly number[]> {
    const kit = HandlerKit.over(rig);
    const asked = { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: BigInt(timestamp) };
    const topics = [{ name: "t", partitions: [asked] }];
    const request = { replicaId: -1, isolationLevel: 0, timeoutMs: 0, topics };
    const answer = await kit.ask(listOffsetsHandler(kit.broker), 11, request);
    const [partition] = answer.topics[0]?.partitions ?? [];
    expect(partition).toMatchObject({ errorCode: 0, timestamp: -1 });
    return [partition?.offset ?? NaN, partition?.leaderEpoch ?? NaN];
  }

  const [latest, earliest, earliestLocal, latestTiered, pendingUpload] = [-1, -2, -4, -5, -6];
  const none = [-1, -1];

  it("tells the last tiered offset, and the first that waits to be", async () => {
    const first = await append(40);
    expect(await at(latestTiered)).toEqual(none);
    expect(await at(pendingUpload)).toEqual([0, first]);
    await rig.pass(tieredMs);
    expect(await at(latestTiered)).toEqual([39, first]);
    expect(await at(pendingUpload)).toEqual([40, first]);
    await rig.kill();
    const second = await append(3);
    expect(second).toBeGreaterThan(first);
    expect(await at(latestTiered)).toEqual([39, first]);
    expect(await at(pendingUpload)).toEqual([40, second]);
    await rig.pass(tieredMs);
    expect(await at(latestTiered)).toEqual([42, second]);
    expect(await at(pendingUpload)).toEqual([43, second]);
  });

  it("tells the same of what the object store alone has", async () => {
    const first = await append(40);
    await rig.pass(tieredMs);
    await dropHotCopies();
    const second = await append(1);
    expect(await at(earliest)).toEqual([0, first]);
    expect(await at(earliestLocal)).toEqual([40, second]);
    expect(await at(latestTiered)).toEqual([39, first]);
    expect(await at(pendingUpload)).toEqual([40, second]);
    await rig.pass(tieredMs);
    await rig.killAndLoseLogs();
    const third = (await open()).leaderEpoch;
    expect(await at(earliest)).toEqual([0, first]);
    expect(await at(latestTiered)).toEqual([40, second]);
    for (const end of [earliestLocal, pendingUpload, latest])
      expect(await at(end)).toEqual([41, third]);
  });

  it("says that nothing waits where nothing is copied any more", async () => {
    const epoch = await append(40);
    await rig.pass(tieredMs);
    const outcome = await rig.cluster.setTopicConfigs(
      "t",
      (before) => ({ ok: true, configs: new Map(before).set("remote.log.copy.disable", "true") }),
      "perform",
    );
    expect(outcome.kind).toBe("done");
    await append(1);
    expect(await at(latestTiered)).toEqual([39, epoch]);
    expect(await at(pendingUpload)).toEqual(none);
  });

  it("lets nothing wait that was deleted", async () => {
    await append(40);
    await rig.pass(tieredMs);
    const epoch = await append(5);
    await (await open()).deleteRecordsBefore(43);
    expect(await at(earliest)).toEqual([43, epoch]);
    expect(await at(pendingUpload)).toEqual([43, epoch]);
  });
});

describe("OffsetForLeaderEpoch of a tiered partition", () => {
  /** Epoch and end offset for each of the epochs. */
  async function endsOf(...epochs: readonly number[]): Promise<readonly (readonly number[])[]> {
    const kit = HandlerKit.over(rig);
    const partitions = epochs.map((leaderEpoch) => {
      return { partition: 0, currentLeaderEpoch: -1, leaderEpoch };
    });
    const request = { replicaId: -1, topics: [{ topic: "t", partitions }] };
    const answer = await kit.ask(offsetForLeaderEpochHandler(kit.broker), 4, request);
    const answers = answer.topics[0]?.partitions ?? [];
    expect(answers.map(({ errorCode }) => errorCode)).toEqual(epochs.map(() => 0));
    return answers.map(({ endOffset, leaderEpoch }) => [leaderEpoch ?? NaN, endOffset ?? NaN]);
  }

  /** Epochs of two lives whose records are in the object store; 30 of the first, 12 of the second. */
  async function twoLives(): Promise<readonly [number, number]> {
    const first = await append(30);
    await rig.pass(tieredMs);
    await rig.kill();
    // This life's epoch appends nothing.
    await open();
    await rig.kill();
    const second = await append(12);
    await rig.pass(tieredMs);
    return [first, second];
  }

  it("knows the whole history when the folder of the logs is lost", async () => {
    const [first, second] = await twoLives();
    expect(second).toBeGreaterThan(first + 1);
    await rig.killAndLoseLogs();
    const { earliestLocalOffset, leaderEpoch: third } = await open();
    expect(earliestLocalOffset).toBe(42);
    const asked = [first - 1, first, first + 1, second, third, third + 1];
    const known = [
      ...[
        [first - 1, 0],
        [first, 30],
        [first, 30],
      ],
      [second, 42],
    ];
    expect(await endsOf(...asked)).toEqual([...known, [third, 42], [-1, -1]]);
    await append(1);
    expect(await endsOf(...asked)).toEqual([...known, [third, 43], [-1, -1]]);
  });

  it("knows it together with what the journal alone has", async () => {
    const [first, second] = await twoLives();
    await rig.kill();
    const third = await append(3);
    await rig.killAndLoseLogs();
    const { leaderEpoch: fourth } = await open();
    expect(await endsOf(first, second, third, fourth)).toEqual([
      ...[
        [first, 30],
        [second, 42],
      ],
      ...[
        [third, 45],
        [fourth, 45],
      ],
    ]);
  });

  it("learns it where the files that are left tell the newest epochs only", async () => {
    const [first, second] = await twoLives();
    await dropHotCopies();
    await rig.kill();
    const third = await append(3);
    await rig.partitions.close();
    rig.disk.remove(`${partitionDirectory({ topicId: id, partition: 0 })}/leader-epochs`);
    await rig.kill();
    const { earliestLocalOffset, leaderEpoch: fourth } = await open();
    expect(earliestLocalOffset).toBe(42);
    expect(await endsOf(first, second, third, fourth)).toEqual([
      ...[
        [first, 30],
        [second, 42],
      ],
      ...[
        [third, 45],
        [fourth, 45],
      ],
    ]);
  });
});
