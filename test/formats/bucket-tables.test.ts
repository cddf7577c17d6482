/** docs/formats.md says what is in the bucket: objects of format 1 are read by its tables alone. */
import { describe, expect, test } from "vitest";
import { bucketObjects } from "./bucket-contents.ts";
import {
  bucketFiles,
  hashOfPath,
  readCheckpoint,
  readFence,
  readImage,
  readSection,
  type TableImage,
} from "./bucket-tables.ts";
import { readJournalFile, readSegment, slotOf } from "./by-the-tables.ts";

const files = bucketFiles();
const segmentPattern =
  /^[\w-]{22}\/data\/([0-9a-f]{4})\/(([0-9a-f]{32})\/(\d+)\/(\d{20})-(\d+)-(\d+)-[0-9a-f]{16})$/;
const checkpointPattern = /^[\w-]{22}\/checkpoint\/(\d+-[0-9a-f]{32})\/(\d{20})$/;
const journalPattern = /^[\w-]{22}\/journal\/(\d+-[0-9a-f]{32})\/(\d{20})$/;
const segments = [...files].filter(([key]) => segmentPattern.test(key));
const checkpoints = [...files].filter(([key]) => checkpointPattern.test(key));
const journal = [...files].filter(([key]) => journalPattern.test(key));

test("this release writes the same bytes under the same keys", () => {
  const written = bucketObjects();
  expect([...written.keys()].toSorted()).toEqual([...files.keys()].toSorted());
  for (const [key, bytes] of written) {
    expect([key, Buffer.from(bytes).equals(files.get(key) ?? new Uint8Array())]).toEqual([
      key,
      true,
    ]);
  }
});

test("every object has a key of the table", () => {
  expect([segments.length, checkpoints.length, journal.length]).toEqual([1, 2, 3]);
  expect(segments.length + checkpoints.length + journal.length).toBe(files.size);
});

/** What the parts before the footer must be, found from the batches alone. */
function expectSound(image: TableImage): void {
  const { batches, index, leaderEpochs, maxTimestamp, maxTimestampOffset } = image;
  expect(index[0]?.position).toBe(0);
  for (const entry of index) {
    const before = batches.filter(({ position }) => position < entry.position);
    const at = batches[before.length];
    expect(entry).toEqual({
      baseOffset: at?.baseOffset,
      position: at?.position,
      maxTimestampBefore: Math.max(-1, ...before.map((batch) => batch.maxTimestamp)),
    });
    const next = index.find(({ position }) => position > entry.position);
    const within = batches.filter(({ position }) => {
      return position >= entry.position && position < (next?.position ?? image.batchesBytes);
    });
    const bytes = within.reduce((sum, batch) => sum + batch.bytes, 0);
    expect(bytes <= 32 * 1024 || within.length === 1).toBe(true);
  }
  const starts = new Map<number, number>();
  for (const { baseOffset, leaderEpoch } of batches) {
    if (!starts.has(leaderEpoch)) starts.set(leaderEpoch, baseOffset);
  }
  expect(leaderEpochs).toEqual([...starts].map(([epoch, startOffset]) => ({ epoch, startOffset })));
  expect(maxTimestamp).toBe(Math.max(...batches.map((batch) => batch.maxTimestamp)));
  const holder = batches.find((batch) => batch.maxTimestamp === maxTimestamp);
  expect(holder?.baseOffset).toBeLessThanOrEqual(maxTimestampOffset);
  expect(holder?.lastOffset).toBeGreaterThanOrEqual(maxTimestampOffset);
  expect(image.baseOffset).toBeLessThanOrEqual(batches[0]?.baseOffset ?? 0);
  expect(image.nextOffset).toBeGreaterThan(batches.at(-1)?.lastOffset ?? 0);
}

describe.each(segments)("the cold segment %s by the tables", (key, bytes) => {
  const [, hash, path = "", topicId = "", partition, baseOffset, slot] =
    segmentPattern.exec(key) ?? [];
  const image = readImage(bytes);

  test("has a key that its contents and their hash make", () => {
    const { topicId: topic, partition: number, baseOffset: base } = image;
    expect([topic, number, base]).toEqual([topicId, Number(partition), Number(baseOffset)]);
    expect(hash).toBe(hashOfPath(path));
    expect(Number(slot)).toBe(slotOf(topicId, Number(partition), 1024));
  });

  test("has an index, leader epochs and producers that tell of its batches", () => {
    expectSound(image);
    expect(image.index.length).toBe(3);
    expect(image.batches.map(({ codec }) => codec)).toEqual([0, 0, 3, 2]);
    expect(image.leaderEpochs.map(({ epoch }) => epoch)).toEqual([3, 5]);
    const batches = image.producers[0]?.batches.map(({ baseOffset: offset }) => offset);
    expect([image.producers[0]?.producerId, batches]).toEqual([4001, [102, 110]]);
    expect(image.recordCount).toBe(17);
  });
});

test("the newest checkpoint leads to every packed image, by the tables", () => {
  const byNumber = new Map(
    checkpoints.map(([key, bytes]) => [Number(checkpointPattern.exec(key)?.[2]), bytes]),
  );
  const newest = Math.max(...byNumber.keys());
  const bytesOf = (number: number): Uint8Array => byNumber.get(number) ?? new Uint8Array();
  const { incarnation, lines, number } = readCheckpoint(bytesOf(newest));
  expect(number).toBe(newest);
  expect(checkpoints.every(([key]) => key.includes(`/${incarnation}/`))).toBe(true);
  const found = lines.flatMap((line) => {
    const section = readSection(bytesOf(line.checkpoint), line);
    expect([section.slot, section.epoch]).toEqual([line.slot, line.epoch]);
    return section.partitions.flatMap(({ partition, parts, topicId }) => {
      expect(line.slot).toBe(slotOf(topicId, partition, 1024));
      return parts.map((part) => {
        const { bytes, checkpoint, position, ...told } = part;
        const image = readImage(bytesOf(checkpoint).subarray(position, position + bytes));
        expectSound(image);
        expect(image).toMatchObject({ ...told, topicId, partition });
        return [partition, image.baseOffset, image.nextOffset, checkpoint];
      });
    });
  });
  expect(found.toSorted()).toEqual([
    [0, 0, 3, 11],
    [0, 3, 6, 12],
    [1, 7, 8, 11],
  ]);
  expect(new Set(lines.map(({ checkpoint }) => checkpoint))).toEqual(new Set([11, 12]));
});

test("a fenced journal has an object for every seq up to its fence, by the tables", () => {
  const fence = readFence(journal.at(-1)?.[1] ?? new Uint8Array());
  const found = journal.slice(0, -1).flatMap(([, bytes]) => readJournalFile(bytes));
  for (const [i, [key]] of journal.entries()) {
    const [, incarnation, seq] = journalPattern.exec(key) ?? [];
    const told = found[i] ?? fence;
    expect([told.incarnation, told.seq]).toEqual([incarnation, Number(seq)]);
  }
  const entries = found.flatMap((object) => object.entries);
  const batches = entries.flatMap(({ body }) => readSegment(body));
  expect(batches.map(({ leaderEpoch }) => leaderEpoch)).toEqual([6, 6, 7]);
  expect(entries.map(({ partition, baseOffset }) => [partition, baseOffset])).toEqual([
    [0, 6],
    [1, 8],
    [0, 8],
  ]);
  for (const { partition, slot, topicId } of entries) {
    expect(slot).toBe(slotOf(topicId, partition, 1024));
  }
});
