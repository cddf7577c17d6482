/** The bounds that all connections share, at their ends. */
import {
  ApiKey,
  type FetchResponseInput,
  type MetadataResponseInput,
  type ProduceResponseInput,
} from "@millrace/wire";
import { expect, it } from "vitest";
import {
  outputBytesMax,
  outputReserveBytes,
  requestElementsMax,
  requestHeaderBytesMin,
  requestLongStringsMax,
  requestMemoryBytesDefault,
  resumedPerTurnMax,
  shutdownGraceMsMax,
  smallRequestBytesMax,
  smallRequestReserveBytes,
  timerMsMax,
} from "../limits.ts";
import {
  bench,
  correlationIds,
  metadataRequest,
  Pending,
  produceRequest,
  request,
  route,
  settled,
} from "./fixtures.ts";

const replyBytes = 8_000_000;
const fetchRequest = request(ApiKey.Fetch, { maxWaitMs: 0, minBytes: 0, topics: [] });
const records = new Uint8Array(replyBytes);
const fetchReply: FetchResponseInput = {
  responses: [{ partitions: [{ partitionIndex: 0, errorCode: 0, highWatermark: 1, records }] }],
};
const fetch = route(ApiKey.Fetch, () => fetchReply);
const metadataReply: MetadataResponseInput = { brokers: [], controllerId: 1, topics: [] };
const metadata = route(ApiKey.Metadata, () => metadataReply);

it("closes the connection of a frame that is smaller than any header", async () => {
  const { connect, metric } = bench([metadata]);
  const [small, least] = [connect(), connect()];
  const frame = new Uint8Array(4 + requestHeaderBytesMin - 1);
  frame[3] = frame.length - 4;
  small.listener?.receive(frame);
  least.listener?.receive(Uint8Array.of(0, 0, 0, requestHeaderBytesMin, 0, 3, 0, 1, 0, 0, 0, 1));
  await settled();
  expect([small.closedBy, least.closedBy]).toEqual(["written", "written"]);
  expect(metric('millrace_connections_closed_total{reason="undecodable"}')).toBe(2);
});

it("decodes no request whose arrays have more elements than one may have, all together", async () => {
  const { connect, log } = bench([fetch], { socketRequestMaxBytes: 100_000_000 });
  const [fits, over] = [connect(), connect()];
  const ask = (elements: number): Uint8Array => {
    const topics = [0, 1].map((half) => {
      const count = Math.floor((elements - 2 + half) / 2);
      return { topic: "t", partitions: Array.from({ length: count }, (_, index) => index) };
    });
    const body = { maxWaitMs: 0, minBytes: 0, topics: [], forgottenTopicsData: topics };
    return request(ApiKey.Fetch, body, { version: 7 });
  };
  fits.listener?.receive(ask(requestElementsMax));
  over.listener?.receive(ask(requestElementsMax + 1));
  await settled();
  expect(fits.closedBy).toBeUndefined();
  expect(over.closedBy).toBe("written");
  expect(log.lines).toHaveLength(1);
  expect(log.lines[0]).toMatchObject({ fields: { reason: "undecodable" } });
});

it("decodes no request of many names that are as slow to tell apart as names can be", async () => {
  const { connect, log } = bench([fetch], { socketRequestMaxBytes: 100_000_000 });
  const [fits, over] = [connect(), connect()];
  const ask = (count: number): Uint8Array => {
    const topics = Array.from({ length: count }, (_, index) => {
      return { topic: `${index}`.padStart(20_000, "x"), partitions: [] };
    });
    const body = { maxWaitMs: 0, minBytes: 0, topics, forgottenTopicsData: [] };
    return request(ApiKey.Fetch, body, { version: 7 });
  };
  fits.listener?.receive(ask(requestLongStringsMax));
  over.listener?.receive(ask(requestLongStringsMax + 1));
  await settled();
  expect(fits.closedBy).toBeUndefined();
  expect(over.closedBy).toBe("written");
  expect(log.lines).toMatchObject([{ fields: { reason: "undecodable" } }]);
});

it("has a bound of its own for requests' memory where queued.max.request.bytes sets none", () => {
  const { metric } = bench([metadata], { queuedMaxRequestBytes: -1 });
  expect(metric("millrace_request_memory_limit_bytes")).toBe(requestMemoryBytesDefault);
});

it("serves small requests while half frames hold all memory, up to a reserve", async () => {
  const produce = new Pending<ProduceResponseInput>();
  const limitBytes = 1_000_000;
  const { connect, metric } = bench([route(ApiKey.Produce, produce.handle), metadata], {
    queuedMaxRequestBytes: limitBytes,
    socketRequestMaxBytes: 1_000_000,
  });
  const holders = Array.from({ length: 3 }, connect);
  const large = produceRequest(1, { recordBytes: 900_000 });
  for (const holder of holders) holder.listener?.receive(large.slice(0, 800_000));
  const small = connect();
  small.listener?.receive(metadataRequest(7));
  await settled();
  expect(correlationIds(small.received)).toEqual([7]);
  const asking = Array.from({ length: 5_000 }, connect);
  const allowed = produceRequest(2, { recordBytes: smallRequestBytesMax - 200 });
  for (const link of asking) link.listener?.receive(allowed);
  const most = limitBytes + smallRequestReserveBytes;
  expect(metric("millrace_request_memory_bytes")).toBeLessThanOrEqual(most + 2 * 1_000_000);
  expect(metric("millrace_request_memory_bytes")).toBeGreaterThan(most - smallRequestBytesMax);
  expect(asking.some((link) => link.isPaused)).toBe(true);
});

it("leaves a reserve of unsent bytes to who read all replies so far, and no more", async () => {
  const { connect, metric } = bench([fetch, metadata]);
  const good = Array.from({ length: 60 }, connect);
  for (const link of good) link.listener?.receive(metadataRequest(1));
  const slow = Array.from({ length: 50 }, connect);
  for (const link of slow) {
    link.peerReads = "never";
    link.listener?.receive(fetchRequest);
  }
  const held = metric("millrace_unsent_reply_bytes");
  expect(held).toBeGreaterThan(outputBytesMax);
  expect(held).toBeLessThan(outputBytesMax + 2 * replyBytes);
  const [first] = good;
  first?.listener?.receive(metadataRequest(2));
  expect(correlationIds(first?.received ?? [])).toEqual([1, 2]);
  for (const link of good) {
    link.peerReads = "never";
    link.listener?.receive(fetchRequest);
  }
  const most = outputBytesMax + outputReserveBytes;
  expect(metric("millrace_unsent_reply_bytes")).toBeGreaterThan(most);
  expect(metric("millrace_unsent_reply_bytes")).toBeLessThan(most + 2 * replyBytes);
  await settled();
});

it("starts few of those that waited in one turn, since each may write a large reply", async () => {
  const fetches = new Pending<FetchResponseInput>();
  const { connect, clock } = bench([route(ApiKey.Fetch, fetches.handle)]);
  const slow = Array.from({ length: 100 }, connect);
  for (const link of slow) {
    link.peerReads = "never";
    link.listener?.receive(fetchRequest);
    fetches.calls.at(-1)?.answer(fetchReply);
    await settled();
  }
  const started = fetches.calls.length;
  expect(started).toBeLessThan(50);
  for (const link of slow.slice(0, started)) link.cut(undefined);
  expect(fetches.calls).toHaveLength(started + resumedPerTurnMax);
  clock.advance(0);
  expect(fetches.calls).toHaveLength(slow.length);
});

it("sets no timer for an idle time that is longer than timers can be", () => {
  const { connect, clock } = bench([], { connectionsMaxIdleMs: timerMsMax + 1 });
  connect();
  expect(clock.pendingTimers).toBe(0);
  const other = bench([], { connectionsMaxIdleMs: timerMsMax });
  other.connect();
  expect(other.clock.pendingTimers).toBe(1);
});

it("cuts what has not ended when the listener's grace is over", async () => {
  const waiting = new Pending<MetadataResponseInput>();
  const { connect, clock, server } = bench([route(ApiKey.Metadata, waiting.handle)]);
  const link = connect();
  link.listener?.receive(metadataRequest(1));
  const closing = server.close(shutdownGraceMsMax);
  clock.advance(shutdownGraceMsMax - 1);
  await settled();
  expect(link.closedBy).toBeUndefined();
  clock.advance(1);
  await closing;
  expect(link.closedBy).toBe("now");
});
