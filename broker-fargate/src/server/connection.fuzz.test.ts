import { ApiKey } from "@millrace/wire";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  type Bench,
  bench,
  concatenate,
  correlationIds,
  emptyProduceReply,
  type HandLink,
  metadataRequest,
  produceRequest,
  request,
  route,
  settled,
} from "./fixtures.ts";

const runOptions = { interruptAfterTimeLimit: 1_500, markInterruptAsFailure: false };

function fuzzBench(): Bench {
  const later = <Response>(response: Response): Promise<Response> =>
    new Promise((resolve) => setImmediate(() => resolve(response)));
  return bench(
    [
      route(ApiKey.Metadata, () => later({ brokers: [], controllerId: 1, topics: [] })),
      route(ApiKey.Produce, ({ acks }) => (acks === 0 ? undefined : later(emptyProduceReply))),
      route(ApiKey.ApiVersions, () => ({ errorCode: 0, apiKeys: [] })),
      route(ApiKey.Heartbeat, () => Promise.reject(new Error("fuzzed"))),
    ],
    { socketRequestMaxBytes: 5_000, queuedMaxRequestBytes: 12_000 },
  );
}

async function quiet(): Promise<void> {
  for (let round = 0; round < 20; round++) await settled();
}

async function expectNothingHeld(tested: Bench, links: readonly HandLink[]): Promise<void> {
  for (const link of links) link.cut(undefined);
  await quiet();
  expect(tested.metric("millrace_request_memory_bytes")).toBe(0);
  expect(tested.metric("millrace_request_memory_waiting_connections")).toBe(0);
  expect(tested.metric("millrace_requests_in_flight")).toBe(0);
  expect(tested.metric("millrace_connections")).toBe(0);
  expect(tested.clock.pendingTimers).toBe(0);
}

it("survives any bytes, and holds no memory when they are gone", async () => {
  const key = fc.constantFrom(0, 3, 12, 18, 77, 0x7fff);
  const nearlyRequest = fc
    .tuple(key, fc.nat(14), fc.uint8Array({ maxLength: 60 }))
    .map(([apiKey, version, rest]) =>
      Uint8Array.of(0, 0, 0, 4 + rest.length, apiKey >> 8, apiKey & 0xff, 0, version, ...rest),
    );
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 300 }), nearlyRequest);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(2), bytes), { maxLength: 30 }), async (chunks) => {
      const tested = fuzzBench();
      const links = Array.from({ length: 3 }, tested.connect);
      for (const [index, chunk] of chunks) links[index]?.listener?.receive(chunk);
      await quiet();
      await expectNothingHeld(tested, links);
    }),
    { numRuns: 2_000, seed: 1, ...runOptions },
  );
});

it("answers whole requests in order under short memory, however they are cut", async () => {
  const kind = fc.constantFrom("produce", "big", "unacknowledged", "metadata", "apiVersions");
  const plan = fc.record({
    kinds: fc.array(kind, { maxLength: 40 }),
    cuts: fc.array(fc.nat(3_000), { minLength: 1, maxLength: 10 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(plan, { minLength: 1, maxLength: 6 }), async (plans) => {
      const tested = fuzzBench();
      const links = plans.map(tested.connect);
      const streams = plans.map(({ kinds }) => concatenate(kinds.map(frameOfKind)));
      await sendInTurn(links, streams, plans);
      for (const [index, { kinds }] of plans.entries()) {
        const wanted = [...kinds.keys()].filter((at) => kinds[at] !== "unacknowledged");
        expect(correlationIds(links[index]?.received ?? [])).toEqual(wanted);
      }
      await expectNothingHeld(tested, links);
    }),
    { numRuns: 500, seed: 2, ...runOptions },
  );
}, 10_000);

function frameOfKind(kind: string, correlationId: number): Uint8Array {
  switch (kind) {
    case "produce":
      return produceRequest(correlationId);
    case "big":
      return produceRequest(correlationId, { recordBytes: 4_000 });
    case "unacknowledged":
      return produceRequest(correlationId, { acks: 0 });
    case "metadata":
      return metadataRequest(correlationId);
    default:
      return request(ApiKey.ApiVersions, {}, { version: 0, correlationId });
  }
}

/** Every link gets its next piece in turn, as long as it is not paused. */
async function sendInTurn(
  links: readonly HandLink[],
  streams: readonly Uint8Array[],
  plans: readonly { readonly cuts: readonly number[] }[],
): Promise<void> {
  const positions = streams.map(() => 0);
  for (let round = 0; positions.some((at, index) => at < (streams[index]?.length ?? 0)); round++) {
    if (round > 10_000) throw new Error("no progress");
    for (const [index, link] of links.entries()) {
      if (link.isPaused) continue;
      const cuts = plans[index]?.cuts ?? [];
      const from = positions[index] ?? 0;
      const chunk = streams[index]?.slice(from, from + 1 + (cuts[round % cuts.length] ?? 0));
      if (chunk === undefined || chunk.length === 0) continue;
      positions[index] = from + chunk.length;
      link.listener?.receive(chunk);
    }
    if (round % 7 === 0 || links.every(({ isPaused }) => isPaused)) await settled();
  }
  await quiet();
}
