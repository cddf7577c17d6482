/** docs/formats.md says what is on disk: directories of format 1 are read by its tables alone. */
import { join } from "node:path";
import { LmdbMetadataStore } from "@millrace/adapter-node";
import type { Item } from "@millrace/core";
import { describe, expect, test } from "vitest";
import {
  journalFiles,
  partitionFolders,
  readIndexes,
  readJournalFile,
  readLeaderEpochs,
  readSegment,
  readSnapshot,
  slotOf,
  type TableBatch,
  type TableEntry,
  type TablePartition,
} from "./by-the-tables.ts";
import { type Fixture, fixtures, withCopy } from "./fixtures.ts";

const format1 = fixtures().filter(({ expected }) => expected.format === 1);

function fileOf(partition: TablePartition, name: string): Uint8Array {
  const bytes = partition.files.get(name);
  if (bytes === undefined) throw new Error(`${partition.name} has no ${name}`);
  return bytes;
}

function batchesOf(partition: TablePartition): readonly TableBatch[] {
  return partition.segments.flatMap((name) => readSegment(fileOf(partition, `${name}.log`)));
}

function idOf(fixture: Fixture, topic: string): string {
  const found = fixture.expected.observation.topics.find(({ name }) => name === topic);
  if (found === undefined) throw new Error(`${fixture.name} has no topic ${topic}`);
  return found.topicId;
}

/** Each partition's end as its clients were told, by the partition's folder; 0 is left out. */
function endOffsets(fixture: Fixture): ReadonlyMap<string, number> {
  const ends = fixture.expected.observation.topics.flatMap(({ partitions, topicId }) =>
    partitions.map(({ endOffset, partition }) => [`${topicId}-${partition}`, endOffset] as const),
  );
  return new Map(ends.filter(([, end]) => end > 0));
}

const recordsKind = 0;
const localFromKind = 1;
const journalFromKind = 2;

/** What replay takes of the journal, by partition. */
function remainingEntries(directory: string): ReadonlyMap<string, readonly TableEntry[]> {
  const remaining = new Map<string, TableEntry[]>();
  const objects = journalFiles(directory).flatMap(readJournalFile);
  const seen = new Set<number>();
  for (const [seq, object] of objects.entries()) {
    expect(object.seq).toBe(seq);
    for (const entry of object.entries) {
      const place = `${entry.topicId}-${entry.partition}`;
      expect(entry.slot).toBe(slotOf(entry.topicId, entry.partition, 1024));
      const before = entry.kind === recordsKind ? remaining.get(place) : undefined;
      if (entry.kind === localFromKind) remaining.delete(place);
      else remaining.set(place, [...(before ?? []), entry]);
      seen.add(entry.kind);
    }
  }
  const kinds = [recordsKind, localFromKind, journalFromKind];
  expect(seen).toEqual(new Set(objects.length > 0 ? kinds : []));
  return remaining;
}

async function itemsOf(directory: string): Promise<readonly Item[]> {
  const store = LmdbMetadataStore.open(join(directory, "metadata"));
  const items = store.items();
  await store.close();
  return items;
}

test("both ends of format 1 are there to be read", () => {
  expect(format1.map(({ expected }) => expected.end).toSorted()).toEqual(["SIGKILL", "SIGTERM"]);
});

describe.each(format1)("$name by the tables", (fixture) => {
  const isKilled = fixture.expected.end === "SIGKILL";

  test("segments hold every acknowledged record, once the journal is replayed", () =>
    withCopy(fixture, async (directory) => {
      const ends = new Map<string, number>();
      const codecs = new Set<number>();
      for (const partition of partitionFolders(directory)) {
        let end = 0;
        for (const { baseOffset, codec, lastOffset } of batchesOf(partition)) {
          expect(baseOffset).toBe(end);
          end = lastOffset + 1;
          codecs.add(codec);
        }
        ends.set(partition.name, end);
      }
      const remaining = remainingEntries(directory);
      for (const [place, entries] of remaining) {
        let end = entries[0]?.baseOffset ?? Number.NaN;
        expect(end).toBeLessThanOrEqual(ends.get(place) ?? 0);
        for (const { baseOffset, body, kind, lastOffset } of entries) {
          expect(baseOffset).toBe(end);
          end = lastOffset + 1;
          if (kind === recordsKind) expect(readSegment(body).at(-1)?.lastOffset).toBe(lastOffset);
        }
        ends.set(place, end);
      }
      const journaled = isKilled ? ["payments", "payments", "switched"] : [];
      const ids = journaled.map((topic) => idOf(fixture, topic)).toSorted();
      expect([...remaining.keys()].map((place) => place.slice(0, 32)).toSorted()).toEqual(ids);
      expect(ends).toEqual(endOffsets(fixture));
      expect([...codecs].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
    }));

  test("every index entry is about the batch where it points", () =>
    withCopy(fixture, async (directory) => {
      let entryCount = 0;
      for (const partition of partitionFolders(directory)) {
        for (const name of partition.segments) {
          const index = partition.files.get(`${name}.index`);
          const timeIndex = partition.files.get(`${name}.timeindex`);
          // Of the segment that was written last, a killed broker had its entries in memory only.
          if (isKilled && index === undefined) continue;
          const batches = readSegment(fileOf(partition, `${name}.log`));
          const entries = readIndexes(index ?? new Uint8Array(), timeIndex ?? new Uint8Array());
          entryCount += entries.length;
          for (const entry of entries) {
            const before = batches.filter(({ position }) => position < entry.position);
            const at = batches[before.length];
            const most = Math.max(-1, ...before.map(({ maxTimestamp }) => maxTimestamp));
            const holder = before.find(({ maxTimestamp }) => maxTimestamp === most);
            expect(entry).toEqual({
              baseOffset: at?.baseOffset,
              position: at?.position,
              maxTimestampBefore: most,
              maxTimestampBatchOffset: holder?.baseOffset ?? -1,
            });
          }
        }
      }
      expect(entryCount).toBeGreaterThan(5);
    }));

  test("leader epochs begin where the batches say", () =>
    withCopy(fixture, async (directory) => {
      for (const partition of partitionFolders(directory)) {
        const starts = new Map<number, number>();
        for (const { baseOffset, leaderEpoch } of batchesOf(partition)) {
          if (!starts.has(leaderEpoch)) starts.set(leaderEpoch, baseOffset);
        }
        const told = readLeaderEpochs(fileOf(partition, "leader-epochs"));
        const all = [...starts].map(([epoch, startOffset]) => ({ epoch, startOffset }));
        expect(all.slice(0, told.length)).toEqual(told);
        // A killed broker had written down its own epoch only where a change of policy synced.
        const isAhead = ["switched", "switched-back"].some((topic) =>
          partition.name.startsWith(idOf(fixture, topic)),
        );
        expect(told.map(({ epoch }) => epoch)).toEqual(isKilled && !isAhead ? [1] : [1, 2]);
      }
    }));

  test("snapshots hold the producers' last batches", () =>
    withCopy(fixture, async (directory) => {
      const partitions = partitionFolders(directory);
      for (const producer of fixture.expected.producers) {
        const name = `${idOf(fixture, producer.topic)}-${producer.partition}`;
        const partition = partitions.find((candidate) => candidate.name === name);
        const newest = [...(partition?.files.keys() ?? [])]
          .filter((file) => file.endsWith(".snapshot"))
          .at(-1);
        if (partition === undefined || newest === undefined) throw new Error(`no ${name}`);
        const { offset, producers } = readSnapshot(fileOf(partition, newest));
        expect(offset).toBe(Number(newest.slice(0, 20)));
        const mine = producers.find(({ producerId }) => producerId === producer.producerId);
        expect(mine?.epoch).toBe(producer.producerEpoch);
        const below = producer.remembered.filter(({ baseOffset }) => baseOffset < offset);
        expect(mine?.batches.slice(-below.length)).toEqual(below);
        expect(below.length).toBe(isKilled ? 1 : 5);
      }
    }));

  test("items have the keys and fields of the table, and lie in their slots", () =>
    withCopy(fixture, async (directory) => {
      const seen = new Set<string>();
      for (const { key, value } of await itemsOf(directory)) {
        const row = itemTable.find(({ pattern }) => pattern.test(key));
        expect([key, Object.keys(value).toSorted()]).toEqual([key, row?.fields.toSorted()]);
        seen.add(row?.name ?? "");
        const [, slot, topicId = "", partition] = placedKey.exec(key) ?? [];
        if (slot !== undefined) expect(Number(slot)).toBe(slotOf(topicId, Number(partition), 1024));
        const [, groupSlot] = groupKey.exec(key) ?? [];
        const { groupId } = value;
        if (groupSlot !== undefined && typeof groupId === "string")
          expect(Number(groupSlot)).toBe(slotOf(groupId, 0, 1024));
      }
      const always = itemTable.map(({ name }) => name).filter((name) => name !== "dirty");
      const wanted = isKilled ? [...always, "dirty"] : always;
      expect([...seen].toSorted()).toEqual(wanted.toSorted());
    }));
});

const placedKey = /^slot\/(\d{5})\/dirty\/([0-9a-f]{32})\/(\d+)$/;
const groupKey = /^slot\/(\d{5})\/(?:group|offsets)\//;

/** The table of items, but for those that a client cannot bring about. */
const itemTable: readonly {
  readonly name: string;
  readonly pattern: RegExp;
  readonly fields: readonly string[];
}[] = [
  { name: "format", pattern: /^format$/, fields: ["version", "clusterId", "slots"] },
  { name: "features", pattern: /^features$/, fields: ["millrace.version"] },
  { name: "version", pattern: /^version$/, fields: [] },
  {
    name: "leadership",
    pattern: /^leadership$/,
    fields: ["epoch", "incarnations", "assignments"],
  },
  {
    name: "incarnation",
    pattern: /^incarnation\/\d+-[0-9a-f]{32}$/,
    fields: ["state", "broker", "epoch", "trim"],
  },
  {
    name: "topic",
    pattern: /^topic\/[\w.~-]+$/,
    fields: ["name", "id", "partitions", "replicationFactor", "internal", "configs", "stamp"],
  },
  { name: "configs", pattern: /^broker-config\/(default|broker\/\d+)$/, fields: ["configs"] },
  { name: "producer ids", pattern: /^producer-ids$/, fields: ["next"] },
  { name: "head", pattern: /^slot\/\d{5}\/head$/, fields: ["owner", "epoch", "sources"] },
  { name: "dirty", pattern: placedKey, fields: ["epoch", "recoveryPoint"] },
  {
    name: "group",
    pattern: /^slot\/\d{5}\/group\/[\w.~-]+$/,
    fields: [
      ...["groupId", "state", "generation", "protocolType", "protocolName", "leader"],
      ...["stateSinceMs", "items", "members", "epoch", "stamp"],
    ],
  },
  {
    name: "further members",
    pattern: /^slot\/\d{5}\/group\/[\w.~-]+\/\d{4}$/,
    fields: ["groupId", "generation", "members", "epoch", "stamp"],
  },
  {
    name: "offsets",
    pattern: /^slot\/\d{5}\/offsets\/[\w.~-]+\/\d{8}$/,
    fields: ["groupId", "offsets", "epoch", "stamp"],
  },
];
