import { ApiKey, type FetchResponseInput } from "@millrace/wire";
import { expect, test } from "vitest";
import type { RequestContext } from "../handlers/handler.ts";
import { outputBytesMax, outputReserveBytes } from "../limits.ts";
import { bench, correlationIds, metadataRequest, request, route, settled } from "./fixtures.ts";

const fetchRequest = request(ApiKey.Fetch, { maxWaitMs: 0, minBytes: 0, topics: [] });
const metadata = route(ApiKey.Metadata, () => ({ brokers: [], topics: [] }));

/** A server whose fetches end when they are told to. */
function slowFetches() {
  const fetches: { readonly context: RequestContext; readonly answer: () => void }[] = [];
  const fetch = route(
    ApiKey.Fetch,
    (_, context) =>
      new Promise<FetchResponseInput>((resolve) => {
        fetches.push({ context, answer: () => resolve({ responses: [] }) });
      }),
  );
  return { fetches, ...bench([fetch, metadata]) };
}

test("a reply in the making counts as unsent, until it is written", async () => {
  const { fetches, connect, metric } = slowFetches();
  const reader = connect();
  reader.listener?.receive(fetchRequest);
  fetches[0]?.context.replyMemory.grow(outputBytesMax + 1);
  expect(metric("millrace_unsent_reply_bytes")).toBe(outputBytesMax + 1);
  const other = connect();
  other.listener?.receive(metadataRequest(1));
  expect(other.received).toEqual([]);
  fetches[0]?.answer();
  await settled();
  expect(correlationIds(other.received)).toEqual([1]);
  expect(metric("millrace_unsent_reply_bytes")).toBe(0);
});

test("who comes while others hold all there is for replies is told the versions, and then served", async () => {
  const fetches: RequestContext[] = [];
  const fetch = route(ApiKey.Fetch, (_, context) => {
    fetches.push(context);
    return new Promise<FetchResponseInput>(() => undefined);
  });
  const versions = route(ApiKey.ApiVersions, () => ({ errorCode: 0, apiKeys: [] }));
  const { connect } = bench([fetch, metadata, versions]);
  connect().listener?.receive(fetchRequest);
  fetches[0]?.replyMemory.grow(outputBytesMax + 1);
  const newcomer = connect();
  newcomer.listener?.receive(request(ApiKey.ApiVersions, {}));
  expect(newcomer.received).toHaveLength(1);
  newcomer.listener?.receive(metadataRequest(7));
  expect(correlationIds(newcomer.received).slice(1)).toEqual([7]);
});

test("who made nothing yet waits for room; a connection that ends leaves none of its reply", async () => {
  const { fetches, connect, metric } = slowFetches();
  const [first, second] = [connect(), connect()];
  for (const link of [first, second]) link.listener?.receive(fetchRequest);
  fetches[0]?.context.replyMemory.grow(outputBytesMax + outputReserveBytes + 1);
  const memory = fetches[1]?.context.replyMemory;
  expect(memory?.hasRoom()).toBe(false);
  let mayGoOn = false;
  void memory?.room().then(() => {
    mayGoOn = true;
  });
  await settled();
  expect(mayGoOn).toBe(false);
  first.cut(undefined);
  await settled();
  expect(mayGoOn).toBe(true);
  expect(memory?.hasRoom()).toBe(true);
  expect(metric("millrace_unsent_reply_bytes")).toBe(0);
});

test("what is made for a connection that has ended does not count", async () => {
  const { fetches, connect, metric } = slowFetches();
  const link = connect();
  link.listener?.receive(fetchRequest);
  link.cut(undefined);
  const memory = fetches[0]?.context.replyMemory;
  expect(memory?.isWanted).toBe(false);
  memory?.grow(outputBytesMax);
  expect(metric("millrace_unsent_reply_bytes")).toBe(0);
  await memory?.room();
});

test("a connection that ends while it waits for room waits no more", async () => {
  const { fetches, connect } = slowFetches();
  const [first, second] = [connect(), connect()];
  for (const link of [first, second]) link.listener?.receive(fetchRequest);
  fetches[0]?.context.replyMemory.grow(outputBytesMax + outputReserveBytes + 1);
  let isOver = false;
  void fetches[1]?.context.replyMemory.room().then(() => {
    isOver = true;
  });
  second.cut(undefined);
  await settled();
  expect(isOver).toBe(true);
});
