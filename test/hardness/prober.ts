/**
 * A well-behaved client whose waits are measured: `node prober.ts PORT TOPIC INTERVAL_MS BROKER_PID`
 * produces one record with acks=all and fetches it, on a fixed schedule, in a process of its own,
 * so that nothing but the broker and the kernel delays it. What the kernel adds on a busy machine,
 * the time for which one of the two was ready to run and had no CPU, it also takes off.
 *
 * A wait begins when the round was due, not when it was sent; a round that came late counts for the
 * ones that it kept from starting. Each line on its standard input makes it print, as JSON, what
 * happened since the line before; it ends when its input does. Any error is fatal, and shown.
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { buildBatch, crc32c, readBaseOffset } from "@millrace/wire";
import { WireClient } from "../fixtures/wire-client.ts";
import { pause } from "./subject.ts";
import { waitsOf } from "./waits.ts";

const [port, topic = "", interval, brokerPid] = process.argv.slice(2);
const intervalMs = Number(interval);
const produce = 0;
const fetch = 1;
const value = new Uint8Array(100).fill(7);
const client = await WireClient.open(Number(port));
let produceWaits: number[] = [];
let roundWaits: number[] = [];
let servedWaits: number[] = [];
const over = new AbortController();

const input = createInterface({ input: process.stdin });
input.on("line", () => {
  const report = {
    produce: waitsOf(produceWaits),
    round: waitsOf(roundWaits),
    served: waitsOf(servedWaits),
  };
  produceWaits = [];
  roundWaits = [];
  servedWaits = [];
  process.stdout.write(`${JSON.stringify(report)}\n`);
});
input.on("close", () => over.abort());

/** Milliseconds for which both were ready and not running, since they began: proc(5), schedstat. */
function starvedMs(): number {
  const of = (pid: string | undefined): number =>
    Number(readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ")[1]) / 1e6;
  return of("self") + of(brokerPid);
}

async function produceOne(timestamp: number): Promise<number> {
  const records = buildBatch([{ key: null, value, timestamp }], { crc32c });
  const { responses } = await client.ask(produce, 9, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records }] }],
  });
  const answer = responses[0]?.partitionResponses[0];
  if (answer?.errorCode !== 0) throw new Error(`produce: error ${answer?.errorCode}`);
  return answer.baseOffset;
}

async function fetchOne(offset: number): Promise<void> {
  const { responses } = await client.ask(fetch, 11, {
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: 1_048_576,
    topics: [
      {
        topic,
        partitions: [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 1_048_576 }],
      },
    ],
  });
  const answer = responses[0]?.partitions[0];
  const records = answer?.records;
  if (answer?.errorCode !== 0) throw new Error(`fetch: error ${answer?.errorCode}`);
  if (records === null || records === undefined || records.length === 0) {
    throw new Error(`fetch: nothing at ${offset}, which was acknowledged`);
  }
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  if (readBaseOffset(view, 0) !== offset) throw new Error(`fetch: another batch than ${offset}`);
}

await fetchOne(await produceOne(Date.now()));
process.stdout.write("probing\n");
let dueAt = performance.now();
let starvedBefore = starvedMs();
while (!over.signal.aborted) {
  await pause(Math.max(0, dueAt - performance.now()));
  const offset = await produceOne(Date.now());
  const producedAt = performance.now();
  await fetchOne(offset);
  const fetchedAt = performance.now();
  const starvedNow = starvedMs();
  const starved = starvedNow - starvedBefore;
  starvedBefore = starvedNow;
  do {
    produceWaits.push(producedAt - dueAt);
    roundWaits.push(fetchedAt - dueAt);
    servedWaits.push(Math.max(0, fetchedAt - dueAt - starved));
    dueAt += intervalMs;
  } while (dueAt < producedAt);
}
client.close();
