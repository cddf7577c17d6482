import { MemoryDisk, SeededRandom } from "@millrace/adapter-memory";
import { expect, test } from "vitest";
import { appendAll, openTestLog, testBatch } from "../../../test/fixtures/partition-log.ts";

test("producers whose records were deleted survive a loss of power", async () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const disk = new MemoryDisk();
    const log = openTestLog(disk);
    for (let offset = 0; offset < 30; offset += 1) {
      const producer = { producerId: 1, producerEpoch: 0, baseSequence: offset };
      appendAll(log, [testBatch({ baseOffset: offset, ...(offset < 5 ? producer : {}) })]);
    }
    await log.sync();
    const startOffset = [...log.segments()].at(-2)?.baseOffset ?? 0;
    expect(startOffset).toBeGreaterThan(5);
    log.advanceStartOffset(startOffset);
    disk.crash(new SeededRandom(seed));
    const recovery = { kind: "truncateTo", offset: startOffset + 1 } as const;
    const again = openTestLog(disk, { recovery, startOffset });
    expect(again.producers.get(1)?.batches.at(-1)?.lastSequence).toBe(4);
    expect(again.missesProducers).toBe(false);
  }
});
