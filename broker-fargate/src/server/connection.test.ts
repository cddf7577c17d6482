import { DiskError } from "@millrace/core";
import {
  ApiKey,
  ErrorCode,
  type MetadataResponseInput,
  type ProduceResponseInput,
} from "@millrace/wire";
import { expect, it } from "vitest";
import { requestsInFlightPerConnectionMax, requestsPerTurnMax } from "../limits.ts";
import { CloseConnection } from "./close-reason.ts";
import {
  bench,
  concatenate,
  correlationIds,
  decodeReply,
  emptyProduceReply,
  frames,
  metadataRequest,
  Pending,
  produceRequest,
  request,
  route,
  settled,
} from "./fixtures.ts";

const metadataReply: MetadataResponseInput = { brokers: [], controllerId: 1, topics: [] };
const metadata = route(ApiKey.Metadata, () => metadataReply);
const apiVersions = route(ApiKey.ApiVersions, () => ({ errorCode: 0, apiKeys: [] }));

function closedFor(reason: string): string {
  return `millrace_connections_closed_total{reason="${reason}"}`;
}

it("answers a request with its correlation id and the body of its version", () => {
  const { connect } = bench([metadata]);
  const link = connect();
  link.listener?.receive(metadataRequest(77));
  expect(correlationIds(link.received)).toEqual([77]);
  const [frame] = frames(link.received);
  expect(decodeReply(ApiKey.Metadata, 13, frame as Uint8Array).controllerId).toBe(1);
});

it("answers the same however the bytes are cut", () => {
  const stream = concatenate([metadataRequest(1), produceRequest(2), metadataRequest(3)]);
  const produce = route(ApiKey.Produce, () => emptyProduceReply);
  for (let cut = 0; cut <= stream.length; cut++) {
    const link = bench([metadata, produce]).connect();
    link.listener?.receive(stream.slice(0, cut));
    link.listener?.receive(stream.slice(cut));
    expect(correlationIds(link.received)).toEqual([1, 2, 3]);
  }
  const link = bench([metadata, produce]).connect();
  for (const byte of stream) link.listener?.receive(Uint8Array.of(byte));
  expect(correlationIds(link.received)).toEqual([1, 2, 3]);
});

it("keeps nothing of a chunk that its owner writes over after the call", () => {
  const seen: Uint8Array[] = [];
  const produce = route(ApiKey.Produce, ({ topicData }) => {
    const records = topicData[0]?.partitionData[0]?.records;
    if (records) seen.push(records);
    return undefined;
  });
  const link = bench([produce]).connect();
  const stream = produceRequest(1, { acks: 0, recordBytes: 4 });
  link.listener?.receive(stream);
  stream.fill(0xff);
  expect(seen).toEqual([new Uint8Array(4)]);
});

it("starts produce requests behind waiting ones, and answers them in their order", async () => {
  const produce = new Pending<ProduceResponseInput>();
  const link = bench([route(ApiKey.Produce, produce.handle)]).connect();
  link.listener?.receive(concatenate([1, 2, 3].map((id) => produceRequest(id))));
  expect(produce.calls).toHaveLength(3);
  produce.calls[2]?.answer(emptyProduceReply);
  produce.calls[1]?.answer(emptyProduceReply);
  await settled();
  expect(link.received).toEqual([]);
  produce.calls[0]?.answer(emptyProduceReply);
  await settled();
  expect(correlationIds(link.received)).toEqual([1, 2, 3]);
});

it("starts any other request when all before it are answered, and nothing behind it", async () => {
  const produce = new Pending<ProduceResponseInput>();
  const listing = new Pending<MetadataResponseInput>();
  const routes = [route(ApiKey.Produce, produce.handle), route(ApiKey.Metadata, listing.handle)];
  const link = bench(routes).connect();
  link.listener?.receive(
    concatenate([produceRequest(1), metadataRequest(2), produceRequest(3), metadataRequest(4)]),
  );
  expect([produce.calls.length, listing.calls.length]).toEqual([1, 0]);
  produce.calls[0]?.answer(emptyProduceReply);
  await settled();
  expect([produce.calls.length, listing.calls.length]).toEqual([1, 1]);
  listing.calls[0]?.answer(metadataReply);
  await settled();
  expect([produce.calls.length, listing.calls.length]).toEqual([2, 1]);
  produce.calls[1]?.answer(emptyProduceReply);
  await settled();
  listing.calls[1]?.answer(metadataReply);
  await settled();
  expect(correlationIds(link.received)).toEqual([1, 2, 3, 4]);
});

it("sends nothing for a request without a reply, and goes on", async () => {
  const produce = new Pending<ProduceResponseInput>();
  const link = bench([metadata, route(ApiKey.Produce, produce.handle)]).connect();
  link.listener?.receive(concatenate([produceRequest(1, { acks: 0 }), metadataRequest(2)]));
  produce.calls[0]?.answer(undefined);
  await settled();
  expect(correlationIds(link.received)).toEqual([2]);
});

it("reads no more than a bounded number of requests ahead", async () => {
  const produce = new Pending<ProduceResponseInput>();
  const { connect, clock } = bench([route(ApiKey.Produce, produce.handle)]);
  const link = connect();
  const count = 3 * requestsInFlightPerConnectionMax;
  const ids = Array.from({ length: count }, (_, index) => index);
  link.listener?.receive(concatenate(ids.map((id) => produceRequest(id))));
  expect(produce.calls).toHaveLength(requestsPerTurnMax);
  const turnsMax = requestsInFlightPerConnectionMax / requestsPerTurnMax;
  for (let turn = 0; turn < turnsMax; turn += 1) clock.advance(0);
  expect(produce.calls).toHaveLength(requestsInFlightPerConnectionMax);
  expect(link.isPaused).toBe(true);
  for (let index = 0; index < count; index++) {
    clock.advance(0);
    produce.calls[index]?.answer(emptyProduceReply);
    await settled();
  }
  expect(correlationIds(link.received)).toEqual(ids);
  expect(link.isPaused).toBe(false);
});

it("answers ApiVersions of an unknown version in the shape of version 0, with error 35", () => {
  const { connect } = bench([apiVersions, metadata, route(ApiKey.Produce, () => undefined)]);
  const link = connect();
  const unknown = request(ApiKey.ApiVersions, {}, { version: 0, correlationId: 9 });
  new DataView(unknown.buffer, unknown.byteOffset).setInt16(6, 99);
  link.listener?.receive(unknown);
  const [frame] = frames(link.received);
  const reply = decodeReply(ApiKey.ApiVersions, 0, frame as Uint8Array);
  expect(reply.errorCode).toBe(ErrorCode.UNSUPPORTED_VERSION);
  expect(reply.apiKeys).toEqual([
    { apiKey: ApiKey.Produce, minVersion: 0, maxVersion: 13 },
    { apiKey: ApiKey.Metadata, minVersion: 0, maxVersion: 13 },
    { apiKey: ApiKey.ApiVersions, minVersion: 0, maxVersion: 5 },
  ]);
  expect(link.closedBy).toBeUndefined();
  link.listener?.receive(metadataRequest(10));
  expect(correlationIds(link.received)).toEqual([9, 10]);
});

const unreadable: readonly (readonly [string, string, Uint8Array])[] = [
  ["a frame above the limit", "frameTooLarge", Uint8Array.of(0x7f, 0xff, 0xff, 0xff, 0)],
  ["a frame of negative length", "frameNegative", Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
  ["a frame shorter than a header", "undecodable", Uint8Array.of(0, 0, 0, 3, 1, 2, 3)],
  ["an empty frame", "undecodable", Uint8Array.of(0, 0, 0, 0)],
  ["an API that nobody knows", "unknownApi", frameOf([0x7f, 0x00, 0, 0, 0, 0, 0, 1, 0xff, 0xff])],
  ["an API that is not served", "unknownApi", frameOf([0, 1, 0, 4, 0, 0, 0, 1, 0xff, 0xff])],
  ["a version that is not served", "unsupportedVersion", frameOf([0, 3, 0, 99, 0, 0, 0, 1])],
  ["produce of an old version", "unsupportedVersion", frameOf([0, 0, 0, 2, 0, 0, 0, 1])],
  ["a header that is cut off", "undecodable", frameOf([0, 3, 0, 0, 0, 0, 0, 1, 0, 99])],
  ["a body that is cut off", "undecodable", frameOf([0, 3, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0])],
];

function frameOf(bytes: readonly number[]): Uint8Array {
  return Uint8Array.of(0, 0, 0, bytes.length, ...bytes);
}

it.each(unreadable)("closes the connection of %s with one line", async (_, reason, bytes) => {
  const { connect, log, metric } = bench([metadata, route(ApiKey.Produce, () => undefined)]);
  const link = connect();
  link.listener?.receive(concatenate([metadataRequest(1), bytes, metadataRequest(2)]));
  await settled();
  expect(correlationIds(link.received)).toEqual([1]);
  expect(link.closedBy).toBe("written");
  expect(log.lines.map(({ level }) => level)).toEqual(["warn"]);
  expect(metric(closedFor(reason))).toBe(1);
});

it("answers what came before garbage, then closes", async () => {
  const produce = new Pending<ProduceResponseInput>();
  const link = bench([route(ApiKey.Produce, produce.handle)]).connect();
  link.listener?.receive(concatenate([produceRequest(1), Uint8Array.of(0xff, 0xff, 0xff, 0xff)]));
  await settled();
  expect(link.closedBy).toBeUndefined();
  produce.calls[0]?.answer(emptyProduceReply);
  await settled();
  expect(correlationIds(link.received)).toEqual([1]);
  expect(link.closedBy).toBe("written");
});

it.each([
  ["an operational failure", new DiskError("full", { path: "x", applied: "no" }), "warn"],
  ["a bug", new TypeError("not a function"), "error"],
  ["a refusal", new CloseConnection("produce failed and acks=0"), "info"],
])("closes only the connection whose handler meets %s", async (_, failure, level) => {
  const { connect, log, metric } = bench([
    metadata,
    route(ApiKey.Produce, () => Promise.reject(failure)),
    route(ApiKey.Heartbeat, () => {
      throw failure;
    }),
  ]);
  const heartbeat = request(ApiKey.Heartbeat, { groupId: "g", generationId: 1, memberId: "m" });
  const failing = [connect(), connect()];
  const healthy = connect();
  failing[0]?.listener?.receive(concatenate([metadataRequest(1), produceRequest(2)]));
  failing[1]?.listener?.receive(concatenate([metadataRequest(1), heartbeat, metadataRequest(3)]));
  await settled();
  for (const link of failing) {
    expect(correlationIds(link.received)).toEqual([1]);
    expect(link.closedBy).toBe("written");
  }
  expect(log.lines.map((line) => line.level)).toEqual([level, level]);
  expect(log.lines[0]?.fields).toMatchObject({ err: failure });
  const reason = level === "info" ? "refusedByHandler" : "handlerFailed";
  expect(metric(closedFor(reason))).toBe(2);
  healthy.listener?.receive(metadataRequest(4));
  expect(correlationIds(healthy.received)).toEqual([4]);
  expect(metric("millrace_request_memory_bytes")).toBe(0);
});

it("drops the replies behind a failed request, as they could be taken for its own", async () => {
  const produce = new Pending<ProduceResponseInput>();
  const { connect, metric } = bench([route(ApiKey.Produce, produce.handle)]);
  const link = connect();
  link.listener?.receive(concatenate([1, 2, 3].map((id) => produceRequest(id))));
  produce.calls[1]?.fail(new Error("a bug"));
  produce.calls[2]?.answer(emptyProduceReply);
  await settled();
  expect(link.closedBy).toBeUndefined();
  produce.calls[0]?.answer(emptyProduceReply);
  await settled();
  expect(correlationIds(link.received)).toEqual([1]);
  expect(link.closedBy).toBe("written");
  expect(metric("millrace_request_memory_bytes")).toBe(0);
});

it("answers what a half-closed peer has asked, then closes", async () => {
  const produce = new Pending<ProduceResponseInput>();
  const { connect, metric, log } = bench([metadata, route(ApiKey.Produce, produce.handle)]);
  const link = connect();
  const half = metadataRequest(3).subarray(0, 10);
  link.listener?.receive(concatenate([produceRequest(1), metadataRequest(2), half]));
  link.listener?.inputEnded();
  produce.calls[0]?.answer(emptyProduceReply);
  await settled();
  expect(correlationIds(link.received)).toEqual([1, 2]);
  expect(link.closedBy).toBe("written");
  expect(metric(closedFor("clientClosed"))).toBe(1);
  expect(metric("millrace_request_memory_bytes")).toBe(0);
  expect(log.lines).toEqual([]);
});

it("answers all that came before the end of the input, also what it had to hold back", async () => {
  const produce = new Pending<ProduceResponseInput>();
  const { connect, clock } = bench([route(ApiKey.Produce, produce.handle)]);
  const link = connect();
  const ids = Array.from({ length: 2 * requestsInFlightPerConnectionMax + 1 }, (_, id) => id);
  const stream = concatenate(ids.map((id) => produceRequest(id)));
  const middle = stream.length - 100;
  const [chunk, late] = [stream.slice(0, middle), stream.slice(middle)];
  link.listener?.receive(chunk);
  chunk.fill(0xff);
  expect(link.isPaused).toBe(true);
  link.listener?.receive(late);
  late.fill(0xff);
  link.listener?.inputEnded();
  for (const index of ids) {
    clock.advance(0);
    produce.calls[index]?.answer(emptyProduceReply);
    await settled();
  }
  expect(correlationIds(link.received)).toEqual(ids);
  expect(link.closedBy).toBe("written");
});

it("tells handlers once when their connection is gone, and what they know of it", async () => {
  let closed = 0;
  const seen: string[] = [];
  const listening = route(ApiKey.Metadata, (_, { connection, clientId }) => {
    seen.push(`${clientId} ${connection.clientHost} ${connection.listener.port}`);
    connection.onClose(() => {
      closed += 1;
    });
    connection.onClose(() => {
      closed += 100;
    })();
    connection.onClose(() => {
      throw new Error("a bug");
    });
    return metadataReply;
  });
  const { connect, log } = bench([listening]);
  const link = connect();
  link.listener?.receive(metadataRequest(1));
  link.cut(new Error("ECONNRESET"));
  link.cut(undefined);
  await settled();
  expect(closed).toBe(1);
  expect(seen).toEqual(["a client 10.0.0.1 9092"]);
  expect(log.lines.map(({ level }) => level)).toEqual(["error"]);
});

it("is closed as soon as the last connection is", async () => {
  const { connect, server, clock } = bench([metadata]);
  connect();
  await server.close(1000);
  expect(clock.pendingTimers).toBe(0);
  await server.close(1000);
});

it("on shutdown answers what is in flight, drops the rest, and cuts after the grace", async () => {
  const produce = new Pending<ProduceResponseInput>();
  const { connect, server, clock, metric } = bench([
    metadata,
    route(ApiKey.Produce, produce.handle),
  ]);
  const [busy, idle, stuck] = [connect(), connect(), connect()];
  busy.listener?.receive(concatenate([produceRequest(1), metadataRequest(2)]));
  stuck.listener?.receive(produceRequest(1));
  let isClosed = false;
  const closing = server.close(1000).then(() => {
    isClosed = true;
  });
  produce.calls[0]?.answer(emptyProduceReply);
  await settled();
  expect(correlationIds(busy.received)).toEqual([1]);
  expect([busy.closedBy, idle.closedBy, stuck.closedBy]).toEqual(["written", "written", undefined]);
  expect(isClosed).toBe(false);
  clock.advance(1000);
  await closing;
  expect(stuck.closedBy).toBe("now");
  expect(metric(closedFor("shutdown"))).toBe(3);
  expect(metric("millrace_connections")).toBe(0);
  produce.calls[1]?.answer(emptyProduceReply);
  await settled();
  expect(metric("millrace_request_memory_bytes")).toBe(0);
  expect(clock.pendingTimers).toBe(0);
});

it("starts some requests of a pipeline in each turn, and those of others between them", async () => {
  const order: string[] = [];
  const { connect, clock } = bench([
    route(ApiKey.Metadata, (_, { connection }) => {
      order.push(connection.id);
      return { brokers: [], controllerId: 1, topics: [] };
    }),
  ]);
  const [greedy, other] = [connect(), connect()];
  const many = Array.from({ length: 2 * requestsPerTurnMax }, (_, id) => metadataRequest(id));
  greedy.listener?.receive(concatenate(many));
  greedy.listener?.receive(metadataRequest(many.length));
  await settled();
  expect(order).toHaveLength(requestsPerTurnMax);
  other.listener?.receive(metadataRequest(1));
  expect(order.at(-1)).not.toBe(order[0]);
  for (let turn = 0; turn < 3; turn += 1) {
    clock.advance(0);
    await settled();
  }
  expect(order).toHaveLength(many.length + 2);
});
