import { MemoryDisk } from "@millrace/adapter-memory";
import { expect, test } from "vitest";
import { appendAll, openTestLog, testBatch } from "../../../test/fixtures/partition-log.ts";
import { cleanedSyncBytes } from "./limits.ts";

test("a cleaned segment wants a sync whenever so much of it was written", async () => {
  const log = openTestLog(new MemoryDisk());
  appendAll(log, [testBatch({ baseOffset: 0 })]);
  const cleaned = log.compaction.begin({ baseOffset: 0, endOffset: 1_000 });
  const valueBytes = 1_000_000;
  for (const base of [0, 500]) {
    let written = 0;
    for (let at = 0; written < cleanedSyncBytes; at += 1) {
      expect(cleaned.wantsSync).toBe(false);
      const { bytes } = testBatch({ baseOffset: base + at, valueBytes });
      cleaned.append([bytes]);
      written += bytes.length;
    }
    expect(cleaned.wantsSync).toBe(true);
    await cleaned.sync();
  }
  expect(cleaned.wantsSync).toBe(false);
  cleaned.discard();
});
