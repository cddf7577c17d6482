/**
 * The objects of a small bucket: a cold segment, two checkpoints of one incarnation, and the journal of
 * another with its fence. The same bytes each time: nothing in it is random, and the only compression is the project's own.
 */
import { epoch, incarnationId, ProducerState, slotOfPartition, topicId } from "@millrace/core";
import {
  buildBatch,
  type CheckpointSlot,
  type Codec,
  crc32c,
  encodeCheckpoint,
  encodeFence,
  encodeImageTail,
  encodeJournalObject,
  encodeSlotSection,
  type ImageDraft,
  ImageIndexBuilder,
  lz4Codec,
  type PackedPart,
  snappyCodec,
  TIER_NONCE_BYTES,
} from "@millrace/wire";
import { journalKey } from "../../broker-fargate/src/journal/objects/journal-keys.ts";
import { checkpointKey, segmentKey } from "../../broker-fargate/src/tier/object-keys.ts";

const clusterId = "bWlsbHJhY2UtZ29sZGVuAA";
const incarnation = incarnationId(`7-${"0123456789abcdef".repeat(2)}`);
const fencedIncarnation = incarnationId(`6-${"fedcba9876543210".repeat(2)}`);
const slots = 1024;
const coldTopic = topicId("c01d".repeat(8));
const packedTopic = topicId("9ac4".repeat(8));
const slotEpoch = epoch(5);
const startMs = 1_750_000_000_000;
const text = new TextEncoder();

interface BatchDraft {
  readonly baseOffset: number;
  readonly recordCount: number;
  readonly leaderEpoch: number;
  readonly valueBytes?: number;
  readonly codec?: Codec;
  /** Of one producer; its sequences are its offsets. */
  readonly producerId?: number;
}

interface Image {
  readonly bytes: Uint8Array;
  readonly at: (checkpoint: number, position: number) => PackedPart;
}

function nonce(first: number): Uint8Array {
  return Uint8Array.from({ length: TIER_NONCE_BYTES }, (_, i) => first + i);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function batchOf(draft: BatchDraft): Uint8Array {
  const { baseOffset, codec, leaderEpoch, producerId, recordCount, valueBytes = 5 } = draft;
  const records = Array.from({ length: recordCount }, (_, i) => ({
    key: i % 3 === 2 ? null : text.encode(`key ${baseOffset + i}`),
    value: i % 4 === 3 ? null : text.encode("value ".repeat(valueBytes).slice(0, valueBytes)),
    // Out of order, so that the largest timestamp is not the last one.
    timestamp: startMs + ((baseOffset + i) % 7) * 1_000,
    headers: i === 0 ? [{ key: "trace", value: text.encode("on") }] : [],
  }));
  return buildBatch(records, {
    ...{ crc32c, baseOffset, partitionLeaderEpoch: leaderEpoch },
    ...(codec === undefined ? {} : { codec }),
    ...(producerId === undefined ? {} : { producerId, producerEpoch: 2, baseSequence: baseOffset }),
  });
}

function imageOf(
  fields: Pick<ImageDraft, "topicId" | "partition" | "baseOffset" | "nextOffset">,
  drafts: readonly BatchDraft[],
): Image {
  const index = new ImageIndexBuilder(fields.baseOffset);
  const producers = ProducerState.empty();
  const leaderEpochs: { epoch: number; startOffset: number }[] = [];
  const batches = drafts.map((draft) => {
    const { baseOffset, leaderEpoch, producerId, recordCount } = draft;
    const lastOffset = baseOffset + recordCount - 1;
    const bytes = batchOf(draft);
    const maxTimestamp = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(35));
    const at = { baseOffset, lastOffset, maxTimestamp, bytes: bytes.length };
    index.add({ ...at, recordCount });
    if (leaderEpochs.at(-1)?.epoch !== leaderEpoch) {
      leaderEpochs.push({ epoch: leaderEpoch, startOffset: baseOffset });
    }
    if (producerId !== undefined) {
      const sequences = { baseSequence: baseOffset, lastSequence: lastOffset };
      const kind = { isTransactional: false, isControl: false };
      producers.apply({ ...at, ...sequences, ...kind, producerId, producerEpoch: 2 });
    }
    return bytes;
  });
  const { batchesBytes, entries, maxTimestamp, maxTimestampOffset, recordCount } = index;
  const facts = { ...fields, maxTimestamp, batchesBytes, leaderEpochs };
  const batchesCrc = crc32c(joined(batches));
  const sections = { index: entries, producers: producers.snapshot() };
  const rest = {
    maxTimestampOffset,
    recordCount,
    batchesCrc,
    nonce: nonce(fields.baseOffset % 200),
  };
  const bytes = joined([...batches, encodeImageTail({ ...facts, ...rest, ...sections }, crc32c)]);
  const { topicId: _topic, partition: _partition, ...place } = facts;
  return {
    bytes,
    at: (checkpoint, position) => ({ checkpoint, position, bytes: bytes.length, ...place }),
  };
}

/** Three index entries: the second batch is long. Offsets are missing, as after a compaction. */
function coldSegment(): readonly [string, Uint8Array] {
  const [partition, baseOffset] = [3, 100];
  const place = { topicId: coldTopic, partition, baseOffset };
  const image = imageOf({ ...place, nextOffset: 140 }, [
    { baseOffset: 102, recordCount: 4, leaderEpoch: 3, producerId: 4001 },
    { baseOffset: 106, recordCount: 2, leaderEpoch: 3, valueBytes: 17_000 },
    { baseOffset: 110, recordCount: 6, leaderEpoch: 5, codec: lz4Codec, producerId: 4001 },
    { baseOffset: 120, recordCount: 5, leaderEpoch: 5, codec: snappyCodec },
  ]);
  const slotNumber = slotOfPartition(coldTopic, partition, slots);
  const name = { slot: slotNumber, epoch: slotEpoch, nonce: "6400000000000001" };
  return [segmentKey(clusterId, { ...place, ...name }), image.bytes];
}

/** The packed topic's slots, at their present epoch, with all their parts. */
function sectionOf(partition: number, parts: readonly PackedPart[]) {
  const at = slotOfPartition(packedTopic, partition, slots);
  const partitions = [{ topicId: packedTopic, partition, parts }];
  const bytes = encodeSlotSection({ slot: at, epoch: slotEpoch, partitions });
  return { slot: at, epoch: slotEpoch, bytes };
}

function checkpoints(): readonly (readonly [string, Uint8Array])[] {
  const images = [
    imageOf({ topicId: packedTopic, partition: 0, baseOffset: 0, nextOffset: 3 }, [
      { baseOffset: 0, recordCount: 3, leaderEpoch: 4, producerId: 4002 },
    ]),
    imageOf({ topicId: packedTopic, partition: 1, baseOffset: 7, nextOffset: 8 }, [
      { baseOffset: 7, recordCount: 1, leaderEpoch: 5 },
    ]),
    imageOf({ topicId: packedTopic, partition: 0, baseOffset: 3, nextOffset: 6 }, [
      { baseOffset: 3, recordCount: 2, leaderEpoch: 5, codec: lz4Codec },
      { baseOffset: 5, recordCount: 1, leaderEpoch: 5, producerId: 4002 },
    ]),
  ] as const;
  const [first, other, second] = images;
  const before = put(11, [first, other], {
    sections: [sectionOf(0, [first.at(11, 0)]), sectionOf(1, [other.at(11, first.bytes.length)])],
    carried: [],
  });
  const kept = before.slots.filter((line) => line.slot === slotOfPartition(packedTopic, 1, slots));
  const after = put(12, [second], {
    sections: [sectionOf(0, [first.at(11, 0), second.at(12, 0)])],
    carried: kept,
  });
  return [before.object, after.object];
}

function put(
  number: number,
  images: readonly Image[],
  index: {
    readonly sections: readonly ReturnType<typeof sectionOf>[];
    readonly carried: readonly CheckpointSlot[];
  },
): { readonly object: readonly [string, Uint8Array]; readonly slots: readonly CheckpointSlot[] } {
  const imageParts = images.map(({ bytes }) => bytes);
  const draft = { incarnation, number, nonce: nonce(number), imageParts, ...index };
  const { parts, slots: lines } = encodeCheckpoint(draft, crc32c);
  const key = checkpointKey(clusterId, incarnation, number);
  return { object: [key, joined(parts)], slots: lines };
}

/** From seq 3 on, as a trim left it; the last object has an entry of a partition's second epoch. */
function fencedJournal(): readonly (readonly [string, Uint8Array])[] {
  const of = (partition: number, at: BatchDraft) => ({
    ...{ kind: "records" as const, topicId: packedTopic, partition, epoch: epoch(at.leaderEpoch) },
    slot: slotOfPartition(packedTopic, partition, slots),
    ...{ baseOffset: at.baseOffset, lastOffset: at.baseOffset + at.recordCount - 1 },
    parts: [batchOf(at)],
  });
  const groups = [
    [
      of(0, { baseOffset: 6, recordCount: 2, leaderEpoch: 6 }),
      of(1, { baseOffset: 8, recordCount: 3, leaderEpoch: 6, codec: lz4Codec }),
    ],
    [of(0, { baseOffset: 8, recordCount: 1, leaderEpoch: 7, producerId: 4003 })],
  ];
  const common = { incarnation: fencedIncarnation, wallMs: startMs };
  const objects = groups.map((entries, i): readonly [string, Uint8Array] => {
    const draft = { ...common, seq: 3 + i, nonce: nonce(30 + i), entries };
    const bytes = joined(encodeJournalObject(draft, crc32c).parts);
    return [journalKey(clusterId, fencedIncarnation, draft.seq), bytes];
  });
  const fence = encodeFence({ ...common, seq: 5, nonce: nonce(50) }, crc32c);
  return [...objects, [journalKey(clusterId, fencedIncarnation, 5), fence]];
}

/** By key. */
export function bucketObjects(): ReadonlyMap<string, Uint8Array> {
  return new Map([coldSegment(), ...checkpoints(), ...fencedJournal()]);
}
