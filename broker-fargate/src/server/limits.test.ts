import {
  ApiKey,
  type FetchResponseInput,
  type MetadataResponseInput,
  type ProduceResponseInput,
} from "@millrace/wire";
import { expect, it } from "vitest";
import {
  bytesInFlightPerConnectionMax,
  closeGraceMsMax,
  connectionLogLinesPerSecondMax,
  outputBytesMax,
  outputStallMsMax,
  outputWatermarkBytes,
  overdraftMsMax,
} from "../limits.ts";
import {
  bench,
  concatenate,
  correlationIds,
  emptyProduceReply,
  metadataRequest,
  Pending,
  produceRequest,
  request,
  route,
  settled,
} from "./fixtures.ts";

const replyBytes = 8_000_000;
const fetchRequest = request(ApiKey.Fetch, {
  maxWaitMs: 0,
  minBytes: 0,
  topics: [],
});
/** Fetch answers eight megabytes that are there already, so that making the reply costs nothing. */
const records = new Uint8Array(replyBytes);
const fetchReply: FetchResponseInput = {
  responses: [{ partitions: [{ partitionIndex: 0, errorCode: 0, highWatermark: 1, records }] }],
};
const fetch = route(ApiKey.Fetch, () => fetchReply);
const metadataReply: MetadataResponseInput = { brokers: [], controllerId: 1, topics: [] };

it("bounds what a client that does not read costs, to the watermark and one reply", () => {
  let fetches = 0;
  const counted = route(ApiKey.Fetch, () => {
    fetches += 1;
    return fetchReply;
  });
  const { connect, metric } = bench([counted]);
  const link = connect();
  link.peerReads = "never";
  for (let sent = 0; sent < 1000; sent++) link.listener?.receive(fetchRequest);
  expect(fetches).toBe(1);
  expect(link.isPaused).toBe(true);
  expect(link.unsentBytesMost).toBeLessThanOrEqual(outputWatermarkBytes + replyBytes + 1000);
  expect(metric("millrace_request_memory_bytes")).toBe(0);
  expect(metric("millrace_unsent_reply_bytes")).toBe(link.unsentBytes());
  link.drain();
  expect(fetches).toBe(2);
  expect(link.unsentBytesMost).toBeLessThanOrEqual(outputWatermarkBytes + replyBytes + 1000);
});

it("starts no produce either for a client that does not read", async () => {
  const produce = new Pending<ProduceResponseInput>();
  const { connect } = bench([fetch, route(ApiKey.Produce, produce.handle)]);
  const link = connect();
  link.peerReads = "never";
  link.listener?.receive(concatenate([fetchRequest, produceRequest(2)]));
  expect(produce.calls).toHaveLength(0);
  link.drain();
  expect(produce.calls).toHaveLength(1);
});

it("starts no request that was read before the client stopped reading", async () => {
  const fetches = new Pending<FetchResponseInput>();
  const { connect } = bench([route(ApiKey.Fetch, fetches.handle)]);
  const link = connect();
  link.peerReads = "never";
  link.listener?.receive(concatenate([fetchRequest, fetchRequest]));
  fetches.calls[0]?.answer(fetchReply);
  await settled();
  expect(fetches.calls).toHaveLength(1);
  link.drain();
  expect(fetches.calls).toHaveLength(2);
});

it("closes no slow reader that gets on, however slowly, while others wait", async () => {
  const { connect, clock } = bench([fetch]);
  const slow = Array.from({ length: 40 }, connect);
  for (const link of slow) {
    link.peerReads = "never";
    link.listener?.receive(fetchRequest);
  }
  const reading = slow[0];
  for (let elapsedMs = 0; elapsedMs < 2 * outputStallMsMax; elapsedMs += outputStallMsMax / 2) {
    reading?.drainOnePart();
    clock.advance(outputStallMsMax / 2);
  }
  await settled();
  expect([reading?.closedBy, slow[1]?.closedBy]).toEqual([undefined, "now"]);
});

it("starts no request while slow readers hold too much, and closes those that stall", async () => {
  const { connect, metric, clock } = bench([fetch, route(ApiKey.Metadata, () => metadataReply)]);
  const slow = Array.from({ length: 50 }, connect);
  for (const link of slow) {
    link.peerReads = "never";
    link.listener?.receive(fetchRequest);
  }
  expect(metric("millrace_unsent_reply_bytes")).toBeLessThan(outputBytesMax + 2 * replyBytes);
  const other = connect();
  other.listener?.receive(metadataRequest(1));
  expect(other.received).toEqual([]);
  clock.advance(outputStallMsMax - 1);
  slow[0]?.drain();
  expect(correlationIds(other.received)).toEqual([]);
  clock.advance(1);
  await settled();
  expect(correlationIds(other.received)).toEqual([1]);
  expect(metric('millrace_connections_closed_total{reason="slowReader"}')).toBeGreaterThan(30);
});

it("bounds the bytes of requests in flight on one connection", async () => {
  const produce = new Pending<ProduceResponseInput>();
  const { connect, metric } = bench([route(ApiKey.Produce, produce.handle)]);
  const link = connect();
  const big = produceRequest(1, { recordBytes: 900_000 });
  for (let sent = 0; sent < 40 && !link.isPaused; sent++) link.listener?.receive(big);
  expect(link.isPaused).toBe(true);
  const held = metric("millrace_request_memory_bytes");
  expect(held).toBeGreaterThanOrEqual(bytesInFlightPerConnectionMax);
  expect(held).toBeLessThan(bytesInFlightPerConnectionMax + big.length);
  produce.calls[0]?.answer(emptyProduceReply);
  await settled();
  expect(link.isPaused).toBe(false);
});

it("bounds the bytes of requests of all connections, and serves who waits in turn", async () => {
  const produce = new Pending<ProduceResponseInput>();
  const limitBytes = 2_000_000;
  const { connect, metric } = bench([route(ApiKey.Produce, produce.handle)], {
    queuedMaxRequestBytes: limitBytes,
    socketRequestMaxBytes: 500_000,
  });
  const links = Array.from({ length: 20 }, connect);
  const big = produceRequest(7, { recordBytes: 400_000 });
  for (const link of links) link.listener?.receive(big);
  const usedBytes = (): number => metric("millrace_request_memory_bytes");
  expect(usedBytes()).toBeLessThanOrEqual(limitBytes + 2 * 500_000);
  expect(links.map(({ isPaused }) => isPaused).lastIndexOf(false)).toBeLessThan(8);
  for (let answered = 0; answered < links.length; answered++) {
    produce.calls[answered]?.answer(emptyProduceReply);
    await settled();
    expect(usedBytes()).toBeLessThanOrEqual(limitBytes + 2 * 500_000);
    expect(correlationIds(links[answered]?.received ?? [])).toEqual([7]);
  }
  expect(usedBytes()).toBe(0);
  expect(links.every(({ isPaused }) => !isPaused)).toBe(true);
});

it("does not let holders of half a frame wait for one another for ever", async () => {
  const { connect, metric } = bench([route(ApiKey.Produce, () => emptyProduceReply)], {
    queuedMaxRequestBytes: 8_000_000,
    socketRequestMaxBytes: 8_000_000,
  });
  const frame = produceRequest(1, { recordBytes: 6_000_000 });
  const links = Array.from({ length: 10 }, connect);
  const middle = 1_100_000;
  for (const link of links) link.listener?.receive(frame.slice(0, middle));
  for (const link of links) link.listener?.receive(frame.slice(middle));
  await settled();
  for (const link of links) expect(correlationIds(link.received)).toEqual([1]);
  expect(metric("millrace_request_memory_bytes")).toBe(0);
});

it("closes who holds up the others with a frame above the limit", async () => {
  const { connect, metric, clock } = bench([route(ApiKey.Produce, () => emptyProduceReply)], {
    queuedMaxRequestBytes: 2_000_000,
    socketRequestMaxBytes: 8_000_000,
  });
  const frame = produceRequest(1, { recordBytes: 6_000_000 });
  const [first, stalling, waiting] = [connect(), connect(), connect()];
  for (const link of [first, stalling]) link.listener?.receive(frame.slice(0, 900_000));
  stalling.listener?.receive(frame.slice(900_000, 2_000_000));
  waiting.listener?.receive(frame);
  expect(waiting.isPaused).toBe(true);
  clock.advance(overdraftMsMax);
  await settled();
  expect([first.closedBy, stalling.closedBy]).toEqual(["now", "now"]);
  expect(correlationIds(waiting.received)).toEqual([1]);
  expect(metric('millrace_connections_closed_total{reason="slowFrame"}')).toBe(2);
});

it("allocates for what was received, not for what was announced", () => {
  const { connect, metric } = bench([], { socketRequestMaxBytes: 100_000_000 });
  const link = connect();
  const announced = Uint8Array.of(0x05, 0, 0, 0);
  link.listener?.receive(announced);
  expect(metric("millrace_request_memory_bytes")).toBe(0);
  link.listener?.receive(new Uint8Array(1));
  expect(metric("millrace_request_memory_bytes")).toBe(1_048_576);
  link.listener?.receive(new Uint8Array(2_000_000));
  expect(metric("millrace_request_memory_bytes")).toBe(4_194_304);
  link.cut(undefined);
  expect(metric("millrace_request_memory_bytes")).toBe(0);
});

it("closes a connection that completes no request for connections.max.idle.ms", async () => {
  const { connect, clock, metric } = bench([route(ApiKey.Metadata, () => metadataReply)], {
    connectionsMaxIdleMs: 1000,
  });
  const frame = produceRequest(1);
  const [silent, busy, trickling] = [connect(), connect(), connect()];
  for (let elapsedMs = 0; elapsedMs < 1000; elapsedMs += 100) {
    busy.listener?.receive(metadataRequest(1));
    trickling.listener?.receive(frame.slice(elapsedMs / 100, elapsedMs / 100 + 1));
    clock.advance(100);
  }
  await settled();
  expect([silent.closedBy, busy.closedBy, trickling.closedBy]).toEqual(["now", undefined, "now"]);
  expect(metric('millrace_connections_closed_total{reason="idle"}')).toBe(2);
  clock.advance(1000);
  expect(busy.closedBy).toBe("now");
});

it("does not call a connection idle whose request is being worked on", async () => {
  const listing = new Pending<MetadataResponseInput>();
  const { connect, clock } = bench([route(ApiKey.Metadata, listing.handle)], {
    connectionsMaxIdleMs: 1000,
  });
  const link = connect();
  link.listener?.receive(metadataRequest(1));
  clock.advance(10_000);
  expect(link.closedBy).toBeUndefined();
  listing.calls[0]?.answer(metadataReply);
  await settled();
  clock.advance(2000);
  expect(link.closedBy).toBe("now");
});

it("never closes an idle connection when connections.max.idle.ms is below zero", () => {
  const { connect, clock } = bench([], { connectionsMaxIdleMs: -1 });
  const link = connect();
  clock.advance(1e12);
  expect(link.closedBy).toBeUndefined();
});

it("gives a closing peer time for the last replies as long as it takes some", async () => {
  const { connect, clock } = bench([fetch]);
  const link = connect();
  link.peerReads = "never";
  link.listener?.receive(fetchRequest);
  link.listener?.inputEnded();
  expect(link.closedBy).toBe("written");
  clock.advance(closeGraceMsMax - 1);
  expect(link.closedBy).toBe("written");
  clock.advance(1);
  expect(link.closedBy).toBe("now");
});

it("waits longer for a closing peer that takes some of the last replies", () => {
  const { connect, clock } = bench([fetch]);
  const link = connect();
  link.peerReads = "never";
  link.listener?.receive(fetchRequest);
  link.listener?.inputEnded();
  clock.advance(closeGraceMsMax - 1);
  link.drainOnePart();
  clock.advance(closeGraceMsMax);
  expect(link.closedBy).toBe("written");
  clock.advance(1);
  expect(link.closedBy).toBe("now");
});

it("logs some lines a second about bad clients, and how many it left out", async () => {
  const { connect, log, clock } = bench([]);
  const count = connectionLogLinesPerSecondMax + 30;
  for (let index = 0; index < count; index++) {
    connect().listener?.receive(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
  }
  expect(log.lines).toHaveLength(connectionLogLinesPerSecondMax);
  clock.advance(1000);
  connect().listener?.receive(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
  expect(log.lines.at(-1)?.fields).toMatchObject({ linesDropped: 30, reason: "frameNegative" });
  connect().listener?.receive(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
  expect(log.lines.at(-1)?.fields).not.toHaveProperty("linesDropped");
});
