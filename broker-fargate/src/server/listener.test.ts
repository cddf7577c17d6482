import { connect, type Socket } from "node:net";
import { ApiKey, type FetchResponseInput } from "@millrace/wire";
import { afterEach, expect, it } from "vitest";
import { BufferPool } from "../buffer-pool.ts";
import { bytesInFlightPerConnectionMax, outputWatermarkBytes } from "../limits.ts";
import { Metrics } from "../metrics/registry.ts";
import { Dispatcher, type Route } from "./dispatcher.ts";
import {
  concatenate,
  correlationIds,
  frames,
  HandClock,
  LineLog,
  metadataRequest,
  metricValue,
  Pending,
  produceRequest,
  request,
  roomySettings,
  route,
} from "./fixtures.ts";
import { type Listener, listen } from "./listener.ts";
import { Server, type ServerSettings } from "./server.ts";
import { adoptSocket, eventSocketLink, type SocketLink } from "./socket-link.ts";

const metadata = route(ApiKey.Metadata, () => ({ brokers: [], controllerId: 1, topics: [] }));
const produce = route(ApiKey.Produce, ({ topicData }) => ({
  responses: [],
  // The length of what arrived, so that a test can see that all of it did.
  throttleTimeMs: topicData[0]?.partitionData[0]?.records?.length ?? -1,
}));
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Started {
  readonly listener: Listener;
  readonly server: Server;
  readonly log: LineLog;
  readonly clock: HandClock;
  metric(line: string): number;
}

async function start(
  routes: readonly Route[],
  options: {
    readonly settings?: Partial<ServerSettings>;
    readonly link?: (socket: Socket) => SocketLink;
  } = {},
): Promise<Started> {
  const metrics = new Metrics();
  const log = new LineLog();
  const clock = new HandClock();
  const settings = { ...roomySettings, socketRequestMaxBytes: 100_000_000, ...options.settings };
  const dispatcher = new Dispatcher(routes);
  const buffers = new BufferPool();
  const server = new Server({ dispatcher, clock, log, metrics, buffers, settings });
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    server,
    advertise: ({ port }) => ({ name: "PLAINTEXT", host: "localhost", port }),
    ...(options.link === undefined ? {} : { link: options.link }),
  });
  cleanups.push(async () => {
    const closing = listener.close(1000);
    clock.advance(1000);
    await closing;
  });
  return { listener, server, log, clock, metric: (line) => metricValue(metrics, line) };
}

class Client {
  readonly socket: Socket;
  readonly received: Uint8Array[] = [];
  private isClosed = false;

  constructor(port: number) {
    this.socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    this.socket.on("data", (chunk: Uint8Array) => this.received.push(chunk));
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => {
      this.isClosed = true;
    });
    cleanups.push(() => {
      this.socket.destroy();
    });
  }

  /** The correlation ids of the replies, as soon as there are so many; a cut one is not counted. */
  async replies(count: number): Promise<number[]> {
    for (;;) {
      const ids = completeIds(this.received);
      if (ids.length >= count) return ids;
      if (this.isClosed) throw new Error(`closed after ${ids.length} replies`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async ended(): Promise<void> {
    await until(() => this.socket.readableEnded || this.isClosed);
  }
}

function completeIds(received: readonly Uint8Array[]): number[] {
  const all = concatenate(received);
  const view = new DataView(all.buffer);
  let end = 0;
  while (end + 4 <= all.length && end + 4 + view.getInt32(end) <= all.length) {
    end += 4 + view.getInt32(end);
  }
  return correlationIds([all.subarray(0, end)]);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Waits until a value stays the same for a while. */
async function steady(value: () => number): Promise<void> {
  let last: number;
  do {
    last = value();
    await new Promise((resolve) => setTimeout(resolve, 100));
  } while (value() !== last);
}

const links = [
  ["reading into the shared buffer", adoptSocket],
  ["reading by events", eventSocketLink],
] as const;

it("takes the fast way to read accepted sockets on this version of Node", async () => {
  const ways: (readonly unknown[])[] = [];
  const { listener } = await start([metadata], {
    link: (socket) => {
      const link = adoptSocket(socket);
      ways.push(socket.listeners("data"));
      return link;
    },
  });
  const client = new Client(listener.port);
  client.socket.write(metadataRequest(1));
  await client.replies(1);
  expect(ways).toEqual([[]]);
});

it.each(links)("answers in order and whole, %s", async (_, link) => {
  const { listener } = await start([metadata, produce], { link });
  const client = new Client(listener.port);
  const big = produceRequest(2, { recordBytes: 5_000_000 });
  client.socket.write(concatenate([metadataRequest(1), big, metadataRequest(3)]));
  expect(await client.replies(3)).toEqual([1, 2, 3]);
  for (const byte of metadataRequest(4)) {
    client.socket.write(Uint8Array.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await client.replies(4)).toEqual([1, 2, 3, 4]);
});

it.each(links)("pauses, resumes and drains, %s", async (_, link) => {
  const records = new Uint8Array(4 * outputWatermarkBytes).fill(7);
  let fetches = 0;
  const fetch = route(ApiKey.Fetch, (): FetchResponseInput => {
    fetches += 1;
    const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 1, records };
    return { responses: [{ partitions: [partition] }] };
  });
  const { listener, metric } = await start([fetch], { link });
  const client = new Client(listener.port);
  client.socket.pause();
  const count = 8;
  const fetchBody = { maxWaitMs: 0, minBytes: 0, topics: [] };
  for (let id = 0; id < count; id++) {
    client.socket.write(request(ApiKey.Fetch, fetchBody, { correlationId: id }));
  }
  await until(() => metric("millrace_unsent_reply_bytes") > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(fetches).toBeLessThan(count);
  expect(metric("millrace_unsent_reply_bytes")).toBeLessThan(records.length + 1000);
  client.socket.resume();
  await until(() => client.socket.bytesRead > count * records.length);
  expect(await client.replies(count)).toEqual(Array.from({ length: count }, (_, id) => id));
  for (const frame of frames(client.received)) {
    expect(frame.indexOf(7)).toBeLessThan(100);
    expect(frame.lastIndexOf(7) - frame.indexOf(7)).toBeGreaterThanOrEqual(records.length - 1);
  }
  expect(metric("millrace_unsent_reply_bytes")).toBe(0);
});

it.each(links)("tells when a reply's memory may change: once it was sent, %s", async (_, link) => {
  const records = new Uint8Array(8 * outputWatermarkBytes);
  let sent = 0;
  const fetch = route(ApiKey.Fetch, (_, context): FetchResponseInput => {
    context.whenReplySent(() => {
      sent += 1;
    });
    const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 1, records };
    return { responses: [{ partitions: [partition] }] };
  });
  const { listener, metric } = await start([fetch], { link });
  const asking = request(ApiKey.Fetch, { maxWaitMs: 0, minBytes: 0, topics: [] });
  const [reader, absent] = [new Client(listener.port), new Client(listener.port)];
  for (const { socket } of [reader, absent]) {
    socket.pause();
    socket.write(asking);
  }
  await until(() => metric("millrace_unsent_reply_bytes") > records.length);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(sent).toBe(0);
  absent.socket.resetAndDestroy();
  reader.socket.resume();
  await reader.replies(1);
  await until(() => metric("millrace_connections") === 1 && sent > 0);
  expect(sent).toBe(1);
});

it.each(links)("reads no more than it may hold, %s", async (_, link) => {
  const pending = new Pending<{ responses: [] }>();
  const { listener, metric } = await start([route(ApiKey.Produce, pending.handle)], { link });
  const client = new Client(listener.port);
  const big = produceRequest(1, { recordBytes: 1_000_000 });
  for (let sent = 0; sent < 60; sent++) client.socket.write(big);
  await until(() => metric("millrace_request_memory_bytes") > bytesInFlightPerConnectionMax);
  await steady(() => metric("millrace_received_bytes_total"));
  expect(metric("millrace_received_bytes_total")).toBeLessThan(2 * bytesInFlightPerConnectionMax);
  for (let answered = 0; answered < 60; answered++) {
    await until(() => pending.calls.length > answered);
    pending.calls[answered]?.answer({ responses: [] });
  }
  expect(await client.replies(60)).toHaveLength(60);
});

it.each(links)("answers a half-closed client, then closes, %s", async (_, link) => {
  const pending = new Pending<{ responses: [] }>();
  const { listener, metric } = await start([route(ApiKey.Produce, pending.handle)], { link });
  const client = new Client(listener.port);
  client.socket.end(produceRequest(1));
  await until(() => pending.calls.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  pending.calls[0]?.answer({ responses: [] });
  await client.ended();
  expect(correlationIds(client.received)).toEqual([1]);
  await until(() => metric("millrace_connections") === 0);
});

it.each(links)("outlives a reset in the middle of a frame, %s", async (_, link) => {
  const { listener, metric } = await start([metadata, produce], { link });
  const victim = new Client(listener.port);
  victim.socket.write(metadataRequest(1));
  await victim.replies(1);
  victim.socket.write(produceRequest(2, { recordBytes: 3_000_000 }).subarray(0, 2_000_000));
  await until(() => metric("millrace_request_memory_bytes") > 1_000_000);
  victim.socket.resetAndDestroy();
  await until(() => metric("millrace_connections") === 0);
  expect(metric("millrace_request_memory_bytes")).toBe(0);
  expect(metric('millrace_connections_closed_total{reason="clientReset"}')).toBe(1);
  const other = new Client(listener.port);
  other.socket.write(metadataRequest(3));
  expect(await other.replies(1)).toEqual([3]);
});

it.each(links)(
  "ends a connection that sends garbage, after what it may answer, %s",
  async (_, link) => {
    const { listener, metric } = await start([metadata], { link });
    const client = new Client(listener.port);
    client.socket.write(
      concatenate([metadataRequest(1), new TextEncoder().encode("GET / HTTP/1.1")]),
    );
    await client.ended();
    expect(correlationIds(client.received)).toEqual([1]);
    client.socket.end();
    await until(() => metric("millrace_connections") === 0);
    expect(metric('millrace_connections_closed_total{reason="frameTooLarge"}')).toBe(1);
  },
);

it.each(links)("serves 200 connections at once, %s", async (_, link) => {
  const { listener, metric } = await start([metadata, produce], { link });
  const clients = Array.from({ length: 200 }, () => new Client(listener.port));
  const ids = Array.from({ length: 20 }, (_, id) => id);
  for (const client of clients) {
    for (const id of ids) client.socket.write(produceRequest(id, { recordBytes: 1000 }));
  }
  const replies = await Promise.all(clients.map((client) => client.replies(ids.length)));
  for (const reply of replies) expect(reply).toEqual(ids);
  expect(metric("millrace_connections")).toBe(200);
  for (const client of clients) client.socket.destroy();
  await until(() => metric("millrace_connections") === 0);
  expect(metric("millrace_request_memory_bytes")).toBe(0);
});

it("refuses connections above max.connections, and takes others when some are gone", async () => {
  const { listener, metric, log } = await start([metadata], { settings: { maxConnections: 2 } });
  const [first, second] = [new Client(listener.port), new Client(listener.port)];
  for (const client of [first, second]) {
    client.socket.write(metadataRequest(1));
    await client.replies(1);
  }
  const third = new Client(listener.port);
  await third.ended();
  expect(third.received).toEqual([]);
  expect(metric("millrace_connections_refused_total")).toBe(1);
  expect(log.lines).toEqual([
    {
      level: "warn",
      fields: { client: "127.0.0.1", limit: "maxConnections" },
      message: "refused a connection: too many are open",
    },
  ]);
  first.socket.destroy();
  await until(() => metric("millrace_connections") === 1);
  const fourth = new Client(listener.port);
  fourth.socket.write(metadataRequest(4));
  expect(await fourth.replies(1)).toEqual([4]);
});

it("holds each address to max.connections.per.ip or its override", async () => {
  const settings = {
    maxConnectionsPerIp: 100,
    maxConnectionsPerIpOverrides: new Map([["127.0.0.1", 1]]),
  };
  const { listener, metric } = await start([metadata], { settings });
  const first = new Client(listener.port);
  first.socket.write(metadataRequest(1));
  await first.replies(1);
  await new Client(listener.port).ended();
  expect(metric("millrace_connections_refused_total")).toBe(1);
});

it("lets requests in flight end when it closes, and takes no new connection", async () => {
  const pending = new Pending<{ responses: [] }>();
  const { listener } = await start([route(ApiKey.Produce, pending.handle)]);
  const [busy, idle] = [new Client(listener.port), new Client(listener.port)];
  busy.socket.write(produceRequest(1));
  await until(() => pending.calls.length === 1);
  const closing = listener.close();
  await idle.ended();
  idle.socket.end();
  const late = new Client(listener.port);
  await until(() => late.socket.closed);
  expect(late.received).toEqual([]);
  pending.calls[0]?.answer({ responses: [] });
  expect(await busy.replies(1)).toEqual([1]);
  busy.socket.end();
  await closing;
});

it("says why when its port is taken", async () => {
  const { listener, server } = await start([metadata]);
  const options = {
    host: "127.0.0.1",
    port: listener.port,
    server,
    advertise: () => ({ name: "PLAINTEXT", host: "localhost", port: 1 }),
  };
  await expect(listen(options)).rejects.toMatchObject({ code: "EADDRINUSE" });
});
