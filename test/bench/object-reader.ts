/**
 * Plain reads of a store of files, with nothing of a broker:
 * `node object-reader.ts FOLDER DELAY_MS IN_FLIGHT CHUNK_BYTES` reads every object whole, in ranges
 * of so many bytes, so many of them at once, each begun so much later as if the store were far
 * away; then prints JSON: how many bytes, and how many seconds it took.
 */
import { FileObjectStore } from "@millrace/adapter-node";
import { inLanes, type ObjectRange } from "@millrace/core";
import { pause } from "./processes.ts";

const [folder = "", ...numbers] = process.argv.slice(2);
const [delayMs = 0, inFlight = 1, chunkBytes = 1] = numbers.map(Number);
const pageObjects = 1_000;

interface Read extends ObjectRange {
  readonly key: string;
}

async function readsOf(store: FileObjectStore): Promise<readonly Read[]> {
  const reads: Read[] = [];
  let after: string | undefined;
  do {
    const from = after === undefined ? {} : { after };
    const page = await store.list({ prefix: "", limit: pageObjects, ...from });
    for (const { key, bytes } of page.objects) {
      for (let at = 0; at < bytes; at += chunkBytes) {
        reads.push({ key, from: at, bytes: Math.min(chunkBytes, bytes - at) });
      }
    }
    after = page.next;
  } while (after !== undefined);
  return reads;
}

const store = await FileObjectStore.open(folder);
const reads = await readsOf(store);
const startedAt = performance.now();
let bytes = 0;
await inLanes(reads, inFlight, async ({ key, ...range }) => {
  await pause(delayMs);
  const found = await store.readRange(key, range);
  if (found?.length !== range.bytes) throw new Error(`${key}: ${found?.length} bytes`);
  bytes += found.length;
});
const seconds = (performance.now() - startedAt) / 1000;
await store.close();
process.stdout.write(`${JSON.stringify({ bytes, seconds })}\n`);
