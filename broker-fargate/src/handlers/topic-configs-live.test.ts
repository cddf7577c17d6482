/** A topic's config takes effect on partitions that are in use, from the next append on. */
import { SeededRandom } from "@millrace/adapter-memory";
import { loadCodecs } from "@millrace/adapter-node";
import type { TopicId } from "@millrace/core";
import {
  buildBatch,
  BATCH_HEADER_BYTES,
  type BatchFields,
  crc32c,
  ErrorCode,
  type NewRecord,
  readCompressionId,
} from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import type { AppendResult } from "../partition/append.ts";
import { Rig } from "../partition/fixtures.ts";
import { partitionLimits } from "../partition/limits.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { incrementalAlterConfigsHandler } from "./44-incremental-alter-configs.ts";
import { HandlerKit } from "./partition-kit.ts";

const topicResource = 2;
const setOperation = 0;
let kit: HandlerKit;
let topicId: TopicId;
let owner: PartitionOwner;

beforeEach(async () => {
  kit = HandlerKit.over(await new Rig({ codecs: loadCodecs().codecs }).start());
  topicId = await kit.rig.createTopic("t");
  owner = await kit.rig.partitions.open(topicId, 0);
});

async function alter(name: string, value: string): Promise<void> {
  const configs = [{ name, configOperation: setOperation, value }];
  const resources = [{ resourceType: topicResource, resourceName: "t", configs }];
  const handler = incrementalAlterConfigsHandler(kit.broker);
  const { responses } = await kit.ask(handler, 1, { resources, validateOnly: false });
  expect(responses).toMatchObject([{ errorCode: ErrorCode.NONE }]);
}

function append(
  record: Partial<NewRecord> = {},
  fields: Partial<BatchFields> = {},
): Promise<AppendResult> {
  const records = buildBatch([{ key: null, value: null, ...record }], { crc32c, ...fields });
  return kit.settled(owner.append({ records, waitFor: "appended" }));
}

const segments = (): number => [...owner.log.segments()].length;
const reasonOf = (result: AppendResult): string => {
  return result.kind === "refused" ? result.reason : result.kind;
};

function bytesOf(extension: string): number {
  const folder = `partitions/${topicId}-0`;
  const names = kit.rig.disk.list(folder).filter((name) => name.endsWith(extension));
  return names.reduce((sum, name) => sum + kit.rig.disk.bytesOf(`${folder}/${name}`).length, 0);
}

it("segment.bytes closes the segment that is too large for it", async () => {
  const value = new Uint8Array(600_000);
  for (let i = 0; i < 3; i++) await append({ value });
  expect(segments()).toBe(1);
  await alter("segment.bytes", "1048576");
  await append({ value });
  expect(segments()).toBe(2);
});

it("segment.ms closes the segment that is too old for it, at the next append", async () => {
  await append({ timestamp: 1000 });
  await append({ timestamp: 3000 });
  await alter("segment.ms", "1500");
  expect(segments()).toBe(1);
  await append({ timestamp: 3000 });
  expect(segments()).toBe(2);
});

it("segment.jitter.ms closes it earlier", async () => {
  await alter("segment.ms", "1000000");
  await append({ timestamp: 1 });
  await append({ timestamp: 1_000_001 });
  expect(segments()).toBe(1);
  await alter("segment.jitter.ms", "1000000");
  await append({ timestamp: 1_000_001 });
  expect(segments()).toBe(2);
});

it("segment.index.bytes closes the segment whose index is full", async () => {
  await alter("index.interval.bytes", "0");
  for (let i = 0; i < 3; i++) await append();
  expect(segments()).toBe(1);
  await alter("segment.index.bytes", "16");
  await append();
  expect(segments()).toBe(2);
});

it("index.interval.bytes sets how closely the index is woven", async () => {
  for (let i = 0; i < 10; i++) await append();
  owner.log.settle();
  const sparse = bytesOf(".index");
  await alter("index.interval.bytes", "0");
  for (let i = 0; i < 10; i++) await append();
  owner.log.settle();
  expect(bytesOf(".index")).toBeGreaterThanOrEqual(sparse + 9 * 8);
});

it("flush.messages syncs before the reply that reaches it", async () => {
  await append();
  expect(owner.log.recoveryPoint).toBe(0);
  await alter("flush.messages", "1");
  await append();
  expect(owner.log.recoveryPoint).toBe(2);
});

it("flush.ms syncs what is as old", async () => {
  await append();
  await kit.rig.pass(1000);
  expect(owner.log.recoveryPoint).toBe(0);
  await alter("flush.ms", "500");
  await append();
  await kit.rig.pass(600);
  expect(owner.log.recoveryPoint).toBe(2);
});

it("cleanup.policy=compact takes no records without a key any more", async () => {
  expect(reasonOf(await append())).toBe("appended");
  await alter("cleanup.policy", "compact");
  expect(reasonOf(await append())).toBe("invalidRecord");
  expect(reasonOf(await append({ key: Uint8Array.of(1) }))).toBe("appended");
});

it("max.message.bytes refuses larger batches", async () => {
  const value = new Uint8Array(1000);
  expect(reasonOf(await append({ value }))).toBe("appended");
  await alter("max.message.bytes", "1000");
  expect(reasonOf(await append({ value }))).toBe("recordTooLarge");
});

it("compression.type sets how batches are stored", async () => {
  const storedCodec = (): number => {
    const from = owner.highWatermark - 1;
    const range = {
      from,
      maxBytes: 1000,
      isolation: "uncommitted",
      atLeastOneBatch: true,
    } as const;
    const read = owner.read(range);
    const [bytes] = read.kind === "ok" ? read.records : [];
    if (bytes === undefined || bytes.length < BATCH_HEADER_BYTES) throw new Error("no batch");
    return readCompressionId(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
  };
  await append();
  expect(storedCodec()).toBe(0);
  await alter("compression.type", "snappy");
  await append();
  expect(storedCodec()).toBe(2);
});

describe("the level of the codec that compression.type names:", () => {
  /** Words that come again at irregular distances: who looks for longer finds more of them. */
  function prose(bytes: number): Uint8Array {
    const random = new SeededRandom(7);
    const word = (): number[] =>
      Array.from({ length: 3 + random.below(9) }, () => 97 + random.below(26));
    const words = Array.from({ length: 500 }, word);
    const text: number[] = [];
    while (text.length < bytes) text.push(...(words[random.below(words.length)] ?? []), 32);
    return Uint8Array.from(text.slice(0, bytes));
  }

  const { turnReencodedBytesMax } = partitionLimits;
  /** One is compressed in the turn that it comes in, the other beside the event loop. */
  const values = [prose(turnReencodedBytesMax - 1000), prose(4 * turnReencodedBytesMax)];

  async function storedBytes(): Promise<readonly number[]> {
    const sizes: number[] = [];
    for (const value of values) {
      const before = owner.sizeBytes;
      expect(reasonOf(await append({ value }))).toBe("appended");
      sizes.push(owner.sizeBytes - before);
    }
    return sizes;
  }

  async function expectSmaller(codec: string, low: number, high: number): Promise<void> {
    const key = `compression.${codec}.level`;
    await alter("compression.type", codec);
    await alter(key, String(low));
    const atLow = await storedBytes();
    await alter(key, String(high));
    const atHigh = await storedBytes();
    await alter(key, String(low));
    expect(await storedBytes()).toEqual(atLow);
    for (const [i, bytes] of atHigh.entries()) expect(bytes).toBeLessThan(atLow[i] ?? 0);
  }

  it("compression.gzip.level sets what gzip makes of the next batches", async () => {
    await expectSmaller("gzip", 1, 9);
  });

  it("compression.lz4.level sets what lz4 makes of the next batches", async () => {
    await expectSmaller("lz4", 1, 17);
  });

  it("compression.zstd.level sets what zstd makes of the next batches", async () => {
    await expectSmaller("zstd", 1, 19);
  });
});

it("message.timestamp.type gives records the time of their append", async () => {
  expect(await append({ timestamp: 5 })).toMatchObject({ logAppendTimeMs: -1 });
  await alter("message.timestamp.type", "LogAppendTime");
  const wallMs = kit.rig.clock.wallMs();
  expect(await append({ timestamp: 5 })).toMatchObject({ logAppendTimeMs: wallMs });
});

it("message.timestamp.before.max.ms and after.max.ms bound the records' times", async () => {
  const nowMs = kit.rig.clock.wallMs();
  const at = async (timestamp: number): Promise<string> => reasonOf(await append({ timestamp }));
  expect(await at(nowMs - 5000)).toBe("appended");
  expect(await at(nowMs + 5000)).toBe("appended");
  await alter("message.timestamp.before.max.ms", "1000");
  expect(await at(nowMs - 5000)).toBe("invalidTimestamp");
  await alter("message.timestamp.after.max.ms", "1000");
  expect(await at(nowMs + 5000)).toBe("invalidTimestamp");
  expect(await at(nowMs)).toBe("appended");
});

it("millrace.record.validation says whether compressed records are opened", async () => {
  const codec: NonNullable<BatchFields["codec"]> = {
    name: "snappy",
    id: 2,
    compress: () => Uint8Array.of(1, 2, 3),
    decompress: () => new Uint8Array(0),
  };
  // A header that says snappy, and a body that is none.
  expect(reasonOf(await append({}, { codec }))).toBe("invalidRecord");
  await alter("millrace.record.validation", "structure");
  expect(reasonOf(await append({}, { codec }))).toBe("appended");
});
