import { MemoryDisk, SeededRandom, VirtualClock } from "@millrace/adapter-memory";
import { epoch, ProducerState, slot, topicId, type TopicSettings } from "@millrace/core";
import { buildBatch, crc32c, jsCodecs } from "@millrace/wire";
import { expect, it } from "vitest";
import type { FormerEntry } from "../takeover/former-entries.ts";
import { MemberLogs, type MemberLogsDeps } from "./member-logs.ts";
import { wireFormat } from "./wire-format.ts";

const topic = topicId("0123456789abcdef".repeat(2));
const place = { topicId: topic, partition: 0, slot: slot(3), openSlot: { epoch: epoch(2) } };
const value = new Uint8Array([1]);
const settings = {
  cleanupPolicy: { compact: false, delete: true },
  indexIntervalBytes: 4096,
  segmentBytes: 1 << 20,
  segmentIndexBytes: 4096,
  segmentJitterMs: 0,
  segmentMs: 60_000,
} as TopicSettings;

/** Where the object store's copy ends at `coldEndOffset`. */
function logsOf(coldEndOffset: number, entries: readonly FormerEntry[]): MemberLogs {
  const tiered = {
    packs: {},
    cold: { endOffset: coldEndOffset, isEmpty: false, leaderEpochs: () => [] },
  };
  const deps = {
    ...{ clock: new VirtualClock(), disk: new MemoryDisk(), random: new SeededRandom(1) },
    wire: wireFormat({ codecs: jsCodecs, crc32c }),
    items: { startOffset: () => Promise.resolve(0) },
    tier: {
      load: () => Promise.resolve(tiered),
      producersOf: () => Promise.resolve(ProducerState.empty()),
    },
    leftFiles: { gone: () => Promise.resolve() },
    formerEntriesOf: () => entries,
  };
  return new MemberLogs(deps as unknown as MemberLogsDeps);
}

it("reads no records of former owners' entries that the object store has already", async () => {
  const read: number[] = [];
  const entries = [8, 9, 10, 11].map((baseOffset) => ({
    ...{ topicId: topic, partition: 0, slot: place.slot, epoch: epoch(1) },
    ...{ baseOffset, lastOffset: baseOffset },
    get records() {
      read.push(baseOffset);
      return buildBatch([{ key: null, value }], { crc32c, baseOffset });
    },
  }));
  const { log } = await logsOf(10, entries).open(place, settings);
  expect(log.endOffset).toBe(12);
  expect(read).toEqual([10, 11]);
  log.close();
});
