/**
 * A consumer that does as little as one can: `node batch-reader.ts PORT TOPIC PARTITIONS` fetches
 * all of a topic from the beginning over one connection, one request at a time, with Kafka's
 * defaults for the sizes of answers, and walks the batches without opening them; then prints JSON:
 * how many bytes, and how many seconds it took. It shows what the broker gives, where
 * ConsumerPerformance shows no more than the least of what the broker gives and what it takes.
 */
import { connect } from "node:net";
import { decodeResponseHeader, Reader, responseDecoders } from "@millrace/wire";
import { WireClient } from "../fixtures/wire-client.ts";

const [port, topic = "", count] = process.argv.slice(2);
const partitionBytesMax = 1_048_576;
const fetchBytesMax = 52_428_800;
const frameBytesMax = 64 * 1_048_576;
const version = 11;
const lengthAt = 8;
const lastOffsetDeltaAt = 23;
const headerBytes = 61;

interface Position {
  readonly partition: number;
  at: number;
  readonly end: number;
}

const client = await WireClient.open(Number(port));

async function positions(): Promise<readonly Position[]> {
  const partitions = Array.from({ length: Number(count) }, (_, partitionIndex) => ({
    partitionIndex,
    timestamp: -1n,
  }));
  const { topics } = await client.ask(2, 5, {
    replicaId: -1,
    topics: [{ name: topic, partitions }],
  });
  return (topics[0]?.partitions ?? []).map(({ errorCode, offset, partitionIndex }) => {
    if (errorCode !== 0) throw new Error(`partition ${partitionIndex}: error ${errorCode}`);
    return { partition: partitionIndex, at: 0, end: offset };
  });
}

/** One answer at a time, in memory that is used again: fresh buffers cost more than all the rest. */
async function openAnswers(): Promise<(request: Uint8Array) => Promise<Uint8Array>> {
  const frame = Buffer.alloc(frameBytesMax);
  let filled = 0;
  let answered: (() => void) | undefined;
  const callback = (bytes: number, buffer: Uint8Array): boolean => {
    frame.set(buffer.subarray(0, bytes), filled);
    filled += bytes;
    if (filled >= 4 && filled >= 4 + frame.readInt32BE(0)) answered?.();
    return true;
  };
  const onread = { buffer: Buffer.alloc(1_048_576), callback };
  const socket = connect({ port: Number(port), host: "127.0.0.1", onread });
  socket.setNoDelay(true);
  // Who ends it is the end of this process.
  socket.unref();
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve).once("error", reject);
  });
  return async (request) => {
    filled = 0;
    socket.ref();
    await new Promise<void>((resolve, reject) => {
      answered = resolve;
      socket.once("close", () => reject(new Error("the broker closed the connection")));
      socket.write(request);
    });
    socket.removeAllListeners("close").unref();
    return new Uint8Array(frame.buffer, frame.byteOffset + 4, frame.readInt32BE(0));
  };
}

/** The bytes of the batches from the position on, which moves behind them. */
function walk(position: Position, records: Uint8Array): number {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  let bytes = 0;
  for (let at = 0; at + headerBytes <= records.length; ) {
    const batchBytes = view.getInt32(at + lengthAt) + lengthAt + 4;
    if (at + batchBytes > records.length) break;
    const first = Number(view.getBigInt64(at));
    if (first !== position.at) throw new Error(`offset ${first} instead of ${position.at}`);
    position.at = first + view.getInt32(at + lastOffsetDeltaAt) + 1;
    bytes += batchBytes;
    at += batchBytes;
  }
  return bytes;
}

const ask = await openAnswers();
const all = await positions();
const startedAt = performance.now();
let bytes = 0;
for (let left = all; left.length > 0; left = left.filter(({ at, end }) => at < end)) {
  const partitions = left.map(({ at, partition }) => ({
    partition,
    fetchOffset: at,
    partitionMaxBytes: partitionBytesMax,
  }));
  const request = client.encode(1, version, {
    ...{ maxWaitMs: 500, minBytes: 1, maxBytes: fetchBytesMax, isolationLevel: 0 },
    ...{ sessionId: 0, sessionEpoch: -1, topics: [{ topic, partitions }] },
  });
  const reader = new Reader(await ask(request));
  decodeResponseHeader(reader, 0);
  const { responses } = responseDecoders[1](reader, version);
  for (const { errorCode, partitionIndex, records } of responses[0]?.partitions ?? []) {
    const position = all[partitionIndex];
    if (errorCode !== 0 || position === undefined) throw new Error(`error ${errorCode}`);
    if (records !== null) bytes += walk(position, records);
  }
  // Whoever got something is served last next time, as by Kafka's consumer.
  left = [...left].sort((one, other) => one.at / one.end - other.at / other.end);
}
const seconds = (performance.now() - startedAt) / 1000;
client.close();
process.stdout.write(`${JSON.stringify({ bytes, seconds })}\n`);
