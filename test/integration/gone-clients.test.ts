/** Clients that go away while the broker waits on their account. */
import { connect, type Socket } from "node:net";
import { ApiKey } from "@millrace/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeFrame } from "../fuzz/handlers/frames.ts";
import { createTopic, pause, startSubject, type Subject } from "../hardness/subject.ts";

let broker: Subject;
const topic = "empty";
const goneMsMax = 5_000;

beforeAll(async () => {
  broker = await startSubject();
  await createTopic(broker.port, topic);
});

afterAll(async () => {
  await broker.stop();
});

/** Of records that never come, for 24 days. */
const longPoll = encodeFrame(ApiKey.Fetch, 11, {
  ...{ maxWaitMs: 0x7fffffff, minBytes: 1, maxBytes: 1_000 },
  topics: [{ topic, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000 }] }],
});
const noFrame = Uint8Array.of(0xff, 0xff, 0xff, 0xff);

async function becomes(series: string, value: number): Promise<void> {
  const untilMs = performance.now() + goneMsMax;
  while ((await broker.metric(series)) !== value && performance.now() < untilMs) await pause(10);
  expect(await broker.metric(series), series).toBe(value);
}

const ways: readonly { readonly name: string; readonly go: (socket: Socket) => void }[] = [
  { name: "closes", go: (socket) => socket.destroy() },
  { name: "resets", go: (socket) => socket.resetAndDestroy() },
  {
    name: "asks for more, and closes",
    go: (socket) => {
      socket.write(longPoll, () => socket.destroy());
    },
  },
  {
    name: "sends what is no frame, and resets",
    go: (socket) => {
      socket.write(noFrame, () => socket.resetAndDestroy());
    },
  },
];

test.for(ways)("a client that waits for records and $name leaves nothing", async ({ go }) => {
  const socket = connect(broker.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(longPoll);
  await becomes("millrace_requests_in_flight", 1);
  go(socket);
  await becomes("millrace_connections", 0);
  await becomes("millrace_requests_in_flight", 0);
  await becomes("millrace_request_memory_bytes", 0);
});

test("a client that waits for records and ends its side is answered with what there is", async () => {
  const socket = connect({ port: broker.port, host: "127.0.0.1", allowHalfOpen: true });
  const received: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => received.push(chunk));
  const ended = new Promise((resolve) => socket.on("end", resolve));
  socket.write(longPoll);
  await becomes("millrace_requests_in_flight", 1);
  socket.end();
  await ended;
  expect(Buffer.concat(received).includes(topic)).toBe(true);
});
