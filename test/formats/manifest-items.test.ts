/** docs/formats.md says what the manifest is: items of format 1 are read by its table alone. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { bucketFiles, readImage } from "./bucket-tables.ts";
import { slotOf } from "./by-the-tables.ts";
import {
  contents,
  manifestFile,
  manifestLines,
  readManifest,
  writeManifest,
} from "./manifest-contents.ts";

const keyPattern = /^slot\/(\d{5})\/segment\/([0-9a-f]{32})\/(\d+)\/(\d{20})$/u;

test("this release writes the same items, and reads them as what they were made of", async () => {
  expect(await writeManifest()).toBe(readFileSync(manifestFile, "utf8"));
  expect(await readManifest()).toEqual(contents().parts);
});

test("an item leads to its object, and tells what that holds, by the tables", () => {
  const [line] = manifestLines();
  const [, ofSlot, topicId = "", partition, baseOffset] = keyPattern.exec(line?.key ?? "") ?? [];
  const item = JSON.parse(line?.value ?? "") as Record<string, unknown>;
  const bytes = bucketFiles().get(String(item["object"])) ?? new Uint8Array();
  const image = readImage(bytes);
  expect(slotOf(topicId, Number(partition), 1024)).toBe(Number(ofSlot));
  expect([topicId, Number(partition)]).toEqual([image.topicId, image.partition]);
  expect({ ...item, baseOffset: Number(baseOffset) }).toEqual({
    ...{ epoch: 5, object: item["object"], bytes: bytes.length },
    ...{ baseOffset: image.baseOffset, nextOffset: image.nextOffset },
    ...{ batchesBytes: image.batchesBytes, maxTimestamp: image.maxTimestamp },
    leaderEpochs: image.leaderEpochs.map(({ epoch, startOffset }) => [epoch, startOffset]),
  });
});

test("what is clean, or lost, says so, and nothing else does", () => {
  const items = manifestLines().map(({ value }) => JSON.parse(value) as Record<string, unknown>);
  expect(items.map((item) => [item["cleaned"], item["lost"]])).toEqual([
    [undefined, undefined],
    [true, undefined],
    [undefined, true],
  ]);
});
