import { MemoryDisk } from "@millrace/adapter-memory";
import { crc32c } from "@millrace/wire";
import { readCleanedOffset, writeCleanedOffset } from "../../../core/src/log/cleaned-offset.ts";
import {
  forgetGapsFrom,
  isCompactedAway,
  readCompactedGaps,
  writeCompactedGaps,
} from "../../../core/src/log/compacted-gaps.ts";
import { LeaderEpochs } from "../../../core/src/log/leader-epochs.ts";
import { ProducerSnapshots } from "../../../core/src/log/producer-snapshots.ts";
import { SegmentIndex } from "../../../core/src/log/segment-index.ts";
import { ProducerState } from "../../../core/src/producer/producer-state.ts";
import type { Chance } from "../chance.ts";
import type { Decoder } from "./decoder.ts";

/** The small files beside a partition's segments: each is read from a disk that holds it alone. */
const directory = "partitions/p-0";
const baseOffset = 1_000;
const snapshotName = `${"0".repeat(16)}1000.snapshot`;
const indexNames = [`${"0".repeat(16)}1000.index`, `${"0".repeat(16)}1000.timeindex`] as const;

function diskWith(name: string, bytes: Uint8Array): MemoryDisk {
  const disk = new MemoryDisk();
  disk.makeDirectory(directory);
  putFile(disk, name, bytes);
  return disk;
}

function putFile(disk: MemoryDisk, name: string, bytes: Uint8Array): void {
  const file = disk.open(`${directory}/${name}`, { create: "ifAbsent" });
  file?.resize(0);
  file?.write(0, [bytes]);
  file?.close();
}

/** The CRC-32C at `crcAt` over all from `from` on. */
function sealFrom(crcAt: number, from: number): (bytes: Uint8Array) => void {
  return (bytes) => {
    if (bytes.length < from) return;
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(crcAt, crc32c(bytes.subarray(from)));
  };
}

async function epochsDecoder(): Promise<Decoder> {
  const disk = new MemoryDisk();
  disk.makeDirectory(directory);
  const epochs = new LeaderEpochs(disk, directory, crc32c);
  for (const [epoch, start] of [
    [1, 0],
    [4, 17],
    [9, 130],
  ] as const) {
    epochs.note(epoch, start);
  }
  await epochs.save();
  return {
    name: "leader-epochs",
    samples: [disk.bytesOf(`${directory}/leader-epochs`)],
    read: (bytes) => {
      const read = new LeaderEpochs(diskWith("leader-epochs", bytes), directory, crc32c);
      const outcome = read.load() === "loaded" ? "value" : "refused";
      for (const epoch of [-1, 0, 4, 5, 9, 10, 0x7fffffff]) read.endOffsetFor(epoch, 200);
      read.cutStart(20);
      read.cutEnd(100);
      read.note(10, 150);
      return outcome;
    },
    seal: sealFrom(12, 16),
  };
}

function snapshotDecoder(): Decoder {
  const disk = new MemoryDisk();
  disk.makeDirectory(directory);
  const producers = ProducerState.empty();
  for (let at = 0; at < 9; at += 1) {
    producers.apply({
      ...{ producerId: at % 3, producerEpoch: 0, baseSequence: at, lastSequence: at },
      ...{ baseOffset: at, lastOffset: at, maxTimestamp: at, bytes: 70, leaderEpoch: 1 },
      ...{ isTransactional: at % 3 === 2, isControl: false },
    });
  }
  const place = { disk, directory, crc32c };
  new ProducerSnapshots(place, [], () => false).save(baseOffset, producers);
  return {
    name: "producer snapshot",
    samples: [disk.bytesOf(`${directory}/${snapshotName}`)],
    read: (bytes) => {
      const files = { disk: diskWith(snapshotName, bytes), directory, crc32c };
      const snapshots = new ProducerSnapshots(files, [snapshotName], () => false);
      const { offset, producers: read } = snapshots.newestFor({ first: 0, end: 2_000 });
      const sequence = { baseSequence: 3, lastSequence: 3, isTransactional: false };
      for (const producerId of [0, 1, 2, 77]) {
        read.check({ producerId, producerEpoch: 0, ...sequence });
      }
      read.expire(1_000_000, 10);
      read.snapshot();
      return offset === baseOffset ? "value" : "refused";
    },
    seal: sealFrom(16, 20),
  };
}

/** Both index files at once, one after the other, each of half of the bytes. */
function indexDecoder(): Decoder {
  const disk = new MemoryDisk();
  disk.makeDirectory(directory);
  const index = SegmentIndex.empty({ disk, directory, baseOffset, crc32c });
  for (let at = 0; at < 8; at += 1) {
    const before = { maxTimestampBefore: at * 5, maxTimestampBatchOffset: baseOffset + at };
    index.add({ baseOffset: baseOffset + at * 10, position: at * 400, ...before });
  }
  index.flush();
  index.close();
  const [offsets, times] = indexNames.map((name) => disk.bytesOf(`${directory}/${name}`));
  const sample = new Uint8Array([...(offsets ?? []), ...(times ?? [])]);
  const offsetsBytes = offsets?.length ?? 0;
  return {
    name: "segment index",
    samples: [sample],
    read: (bytes) => {
      const read = diskWith(indexNames[0], bytes.subarray(0, offsetsBytes));
      putFile(read, indexNames[1], bytes.subarray(offsetsBytes));
      const loaded = SegmentIndex.load({ disk: read, directory, baseOffset, crc32c });
      if (loaded === "damaged") return "refused";
      const found = [
        ...[0, baseOffset, 1_035, 5_000].map((offset) => loaded.floorByOffset(offset)),
        ...[-1, 12, 1_000].map((timestamp) => loaded.floorByTimestamp(timestamp)),
        loaded.last(),
      ];
      loaded.cutTo(1_300);
      loaded.add({ ...lastPoint, baseOffset: 2_000, position: 9_000 });
      loaded.flush();
      loaded.close();
      return found.includes("damaged") ? "refused" : "value";
    },
    seal: sealTimes(offsetsBytes),
  };
}

const lastPoint = { maxTimestampBefore: 99, maxTimestampBatchOffset: 1_900 };

/** One time entry's CRC, which begins with the segment's base offset and its offset entry. */
function sealTimes(offsetsBytes: number): (bytes: Uint8Array, chance: Chance) => void {
  const base = new Uint8Array(8);
  new DataView(base.buffer).setBigInt64(0, BigInt(baseOffset));
  return (bytes, chance) => {
    const entry = chance.below(8);
    const [offsetAt, at] = [16 + 8 * entry, offsetsBytes + 16 + 16 * entry];
    if (at + 16 > bytes.length) return;
    const seed = crc32c(bytes.subarray(offsetAt, offsetAt + 8), crc32c(base));
    const crc = crc32c(bytes.subarray(at, at + 12), seed);
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(at + 12, crc);
  };
}

/** The last four bytes: the CRC-32C of all before. */
function sealEnd(bytes: Uint8Array): void {
  const crcAt = bytes.length - 4;
  if (crcAt < 0) return;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(crcAt, crc32c(bytes.subarray(0, crcAt)));
}

function cleanedOffsetDecoder(): Decoder {
  const disk = new MemoryDisk();
  disk.makeDirectory(directory);
  writeCleanedOffset({ disk, directory, crc32c }, 123_456);
  return {
    name: "cleaned-offset",
    samples: [disk.bytesOf(`${directory}/cleaned-offset`)],
    read: (bytes) => {
      const files = { disk: diskWith("cleaned-offset", bytes), directory, crc32c };
      return readCleanedOffset(files) === undefined ? "refused" : "value";
    },
    seal: sealEnd,
  };
}

async function compactedGapsDecoder(): Promise<Decoder> {
  const gaps = [
    [{ from: 17, to: 130 }],
    [
      { from: 40, to: 41 },
      { from: 2 ** 32 - 1, to: 2 ** 33 },
      { from: 41, to: 60 },
    ],
  ];
  const samples: Uint8Array[] = [];
  for (const some of gaps) {
    const disk = new MemoryDisk();
    disk.makeDirectory(directory);
    await writeCompactedGaps({ disk, directory, crc32c }, some, () => false);
    samples.push(disk.bytesOf(`${directory}/compacted-gaps`));
  }
  return {
    name: "compacted-gaps",
    samples,
    read: (bytes) => {
      const files = { disk: diskWith("compacted-gaps", bytes), directory, crc32c };
      const read = readCompactedGaps(files);
      for (const from of [0, 17, 40, 2 ** 32]) isCompactedAway(read, { from, to: from + 20 });
      forgetGapsFrom(100, files);
      return read.length === 0 ? "refused" : "value";
    },
    seal: sealEnd,
  };
}

export async function logFileDecoders(): Promise<readonly Decoder[]> {
  const small = [cleanedOffsetDecoder(), await compactedGapsDecoder()];
  return [await epochsDecoder(), snapshotDecoder(), indexDecoder(), ...small];
}
