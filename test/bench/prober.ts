/**
 * Another client: `node prober.ts PORT TOPIC INTERVAL_MS` asks for a partition's end offset on a
 * fixed schedule until its standard input ends, then prints JSON: how many answers, and the longest
 * and the median wait in milliseconds. A process of its own: the bench's other work does not delay
 * it.
 */
import { WireClient } from "../fixtures/wire-client.ts";
import { pause } from "./processes.ts";
import { spreadOf } from "./statistics.ts";

const [port, topic = "", interval] = process.argv.slice(2);
const intervalMs = Number(interval);
const ended = new AbortController();
process.stdin.on("end", () => ended.abort());
process.stdin.resume();

const client = await WireClient.open(Number(port));
const request = {
  replicaId: -1,
  topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
};
const waits: number[] = [];
// Its caller begins once this line is there.
await client.ask(2, 5, request);
process.stdout.write("probing\n");
let dueAt = performance.now() + intervalMs;
while (!ended.signal.aborted) {
  await pause(Math.max(0, dueAt - performance.now()));
  const sentAt = performance.now();
  const answer = await client.ask(2, 5, request);
  const errorCode = answer.topics[0]?.partitions[0]?.errorCode;
  if (errorCode !== 0) throw new Error(`${topic}: error ${errorCode}`);
  waits.push(performance.now() - sentAt);
  dueAt += intervalMs;
}
client.close();
const { max, median, count } = spreadOf(waits);
process.stdout.write(`${JSON.stringify({ max, median, count })}\n`);
