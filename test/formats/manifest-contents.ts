/** Items of the manifest as this release writes them, one a line: its key, a blank, its JSON. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MemoryMetadataStore, SeededRandom, VirtualClock } from "@millrace/adapter-memory";
import { type ColdPart, epoch, keys, keysUnder, slot, topicId } from "@millrace/core";
import { SlotWrites } from "../../broker-fargate/src/partition/slot-writes.ts";
import { ManifestItems } from "../../broker-fargate/src/tier/manifest-items.ts";
import { bucketFiles, readImage } from "./bucket-tables.ts";

/** Those of format 1, checked in. */
export const manifestFile: string = join(import.meta.dirname, "manifest-1/items.txt");

const namePattern = /\/data\/[0-9a-f]{4}\/([0-9a-f]{32})\/(\d+)\/\d{20}-(\d+)-(\d+)-[0-9a-f]{16}$/u;

/** Of the bucket's cold segment, and behind it a clean one without a time, and one that is lost. */
export async function writeManifest(): Promise<string> {
  const { at, parts } = contents();
  const store = new MemoryMetadataStore();
  const incarnation = `1-${"0".repeat(32)}`;
  const head = { owner: incarnation, epoch: at.openSlot.epoch, sources: [] };
  await store.transact([{ kind: "put", key: keys.head(at.slot), value: head }]);
  const access = { store, clock: new VirtualClock(), random: new SeededRandom(1) };
  const manifest = new ManifestItems(access, new SlotWrites(access));
  await manifest.add(at, parts);
  const prefix = keys.segments(at.slot, at.topicId, at.partition);
  const { items } = await store.range(keysUnder(prefix, 1000));
  return items.map((item) => `${item.key} ${JSON.stringify(item.value)}\n`).join("");
}

/** What is checked in, as this release reads it. */
export async function readManifest(): Promise<readonly ColdPart[]> {
  const { at } = contents();
  const store = new MemoryMetadataStore();
  for (const { key, value } of manifestLines()) {
    await store.transact([{ kind: "put", key, value: JSON.parse(value) as Record<string, never> }]);
  }
  const access = { store, clock: new VirtualClock(), random: new SeededRandom(1) };
  return new ManifestItems(access, new SlotWrites(access)).segments(at);
}

export function manifestLines(): readonly { readonly key: string; readonly value: string }[] {
  const lines = readFileSync(manifestFile, "utf8").trimEnd().split("\n");
  return lines.map((line) => {
    const blank = line.indexOf(" ");
    return { key: line.slice(0, blank), value: line.slice(blank + 1) };
  });
}

export function contents(): {
  readonly at: Parameters<ManifestItems["add"]>[0];
  readonly parts: readonly ColdPart[];
} {
  const found = [...bucketFiles()].find(([key]) => namePattern.test(key));
  if (found === undefined) throw new Error("the bucket has no cold segment");
  const [object, bytes] = found;
  const [, topic = "", partition = "", ofSlot = "", ofEpoch = ""] = namePattern.exec(object) ?? [];
  const image = readImage(bytes);
  const { baseOffset, batchesBytes, leaderEpochs, maxTimestamp, nextOffset } = image;
  const first = { object, position: 0, bytes: bytes.length, batchesBytes, baseOffset, nextOffset };
  const end = 2 ** 33 + 7;
  const started = [{ epoch: 5, startOffset: nextOffset }];
  const [cleaned, lost] = [`${object.slice(0, -1)}2`, `${object.slice(0, -1)}3`];
  const behind = { position: 0, bytes: 700, batchesBytes: 0, leaderEpochs: started };
  const parts: readonly ColdPart[] = [
    { ...first, maxTimestamp, leaderEpochs },
    {
      ...{ ...behind, object: cleaned, baseOffset: nextOffset, nextOffset: end },
      ...{ maxTimestamp: -1, isCleaned: true },
    },
    {
      ...{ ...behind, object: lost, baseOffset: end, nextOffset: end + 1 },
      ...{ maxTimestamp: -1, isLost: true },
    },
  ];
  const openSlot = { epoch: epoch(Number(ofEpoch)) };
  const at = { topicId: topicId(topic), partition: Number(partition), slot: slot(Number(ofSlot)) };
  return { at: { ...at, openSlot }, parts };
}
