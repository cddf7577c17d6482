import { SeededRandom } from "@millrace/adapter-memory";
import { type Clock, type ConsumedUnits, MetadataError, type Write } from "@millrace/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type AskedOfDynamoDb,
  cut,
  type DynamoDbAnswer,
  hurried,
  mute,
  ok,
  refusing,
  ScriptedDynamoDb,
} from "./dynamodb-fixtures.ts";
import { writeBackoffMsFirst, writeBackoffMsMax, writeMsMax, writeTriesMax } from "./limits.ts";
import type { DynamoDbMetadataStore, DynamoDbMetadataStoreOptions } from "./metadata-store.ts";

let server: ScriptedDynamoDb;

const random = new SeededRandom(3);

const openStore = (options: Partial<DynamoDbMetadataStoreOptions> = {}) =>
  server.openStore(random, options);

beforeEach(async () => {
  server = await ScriptedDynamoDb.start();
});

afterEach(() => server.stop());

const put: Write = { kind: "put", key: "a", value: { n: 1 } };
const both: readonly Write[] = [put, { kind: "put", key: "b", value: { n: 2 } }];

const stored = (version: number, writeId = "w"): Readonly<Record<string, unknown>> => ({
  pk: { S: "a" },
  sk: { S: "a" },
  version: { N: String(version) },
  value: { S: `{"n":${version}}` },
  writeId: { S: writeId },
});

/** The store, once it has read the item `a` at this version. */
async function storeThatKnows(version: number): Promise<DynamoDbMetadataStore> {
  server.answer = ok({ Item: stored(version) });
  const store = await openStore();
  await store.get("a");
  server.asked.length = 0;
  return store;
}

async function failure(call: Promise<unknown>): Promise<MetadataError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MetadataError);
  return error as MetadataError;
}

describe("a write", () => {
  it("is tried a bounded number of times, with waits of full jitter that grow up to a bound", async () => {
    server.answer = refusing(400, "ThrottlingException");
    const waits: number[] = [];
    const after: Clock["after"] = (delayMs, run) => {
      if (delayMs <= writeBackoffMsMax) waits.push(delayMs);
      return hurried.after(delayMs, run);
    };
    const clock = { ...hurried, after };
    for (let round = 0; round < 10; round += 1) {
      const store = await openStore({ clock });
      const error = await failure(store.transact(both));
      expect(error).toMatchObject({ retriable: true, applied: "no" });
    }
    expect(server.asked).toHaveLength(10 * writeTriesMax);
    const longest = [20, 40, 80, 160, 320, 400];
    expect([longest[0], longest.at(-1)]).toEqual([writeBackoffMsFirst, writeBackoffMsMax]);
    expect(waits).toHaveLength(10 * longest.length);
    waits.forEach((wait, index) => {
      expect(wait).toBeLessThanOrEqual(longest[index % longest.length] ?? 0);
    });
    // Full jitter: some waits are short, however many tries there were.
    expect(Math.min(...waits.filter((_, index) => index % longest.length > 3))).toBeLessThan(100);
  });

  it("is not begun again when it has taken too long", async () => {
    server.answer = cut;
    const triedMs = writeMsMax * 0.4;
    const clock = { ...hurried, monotonicMs: () => server.asked.length * triedMs };
    const store = await openStore({ clock });
    const error = await failure(store.transact(both));
    expect(error).toMatchObject({ retriable: true, applied: "maybe" });
    expect(server.asked).toHaveLength(3);
  });

  it("over a known state is on condition of just that state", async () => {
    const store = await storeThatKnows(3);
    server.answer = ok({});
    const condition = { is: "version", version: 3 } as const;
    expect(await store.transact([{ ...put, condition }])).toEqual({ ok: true });
    expect(await store.transact([{ ...put, condition: { is: "version", version: 4 } }])).toEqual({
      ok: true,
    });
    const [first, second] = server.asked;
    expect(first).toMatchObject({ operation: "UpdateItem" });
    const values = (asked: AskedOfDynamoDb | undefined) =>
      asked?.input["ExpressionAttributeValues"] as Record<string, unknown>;
    expect(values(first)[":state"]).toEqual({ S: "w" });
    expect(values(second)[":state"]).toEqual(values(first)[":writeId"]);
  });

  it("finds out what else was written, and goes over that if its condition holds", async () => {
    const store = await storeThatKnows(3);
    const refusal = { Item: stored(7, "other") };
    const answers = [refusing(400, "ConditionalCheckFailedException", refusal), ok({})];
    server.answer = (asked, response) => answers.shift()?.(asked, response);
    expect(await store.transact([put])).toEqual({ ok: true });
    expect(server.asked.map(({ operation }) => operation)).toEqual(["UpdateItem", "UpdateItem"]);
    expect(server.asked[1]?.input["ExpressionAttributeValues"]).toMatchObject({
      ":state": { S: "other" },
    });
  });

  it("becomes a transaction when what it knew is gone", async () => {
    const store = await storeThatKnows(3);
    const answers = [refusing(400, "ConditionalCheckFailedException"), ok({})];
    server.answer = (asked, response) => answers.shift()?.(asked, response);
    expect(await store.transact([put])).toEqual({ ok: true });
    expect(server.asked.map(({ operation }) => operation)).toEqual([
      "UpdateItem",
      "TransactWriteItems",
    ]);
  });

  it("is done when a refusal finds its own effect", async () => {
    const answers: DynamoDbAnswer[] = [cut];
    server.answer = (asked, response) => {
      const writeId = String(asked.input["ClientRequestToken"]);
      const Item = stored(1, writeId);
      const reasons = [{ Code: "ConditionalCheckFailed", Item }, { Code: "None" }];
      const refusal = { CancellationReasons: reasons };
      const answer = answers.shift() ?? refusing(400, "TransactionCanceledException", refusal);
      answer(asked, response);
    };
    const store = await openStore();
    expect(await store.transact(both)).toEqual({ ok: true });
    expect(server.asked).toHaveLength(2);
  });

  it("is given up when others are always there first", async () => {
    const store = await storeThatKnows(1);
    let version = 1;
    server.answer = (asked, response) => {
      version += 1;
      const refusal = { Item: stored(version, `other-${version}`) };
      refusing(400, "ConditionalCheckFailedException", refusal)(asked, response);
    };
    const error = await failure(store.transact([put]));
    expect(error).toMatchObject({ retriable: true, applied: "no" });
    expect(server.asked).toHaveLength(writeTriesMax);
  });
});

describe("a failed write", () => {
  const passing: readonly (readonly [string, DynamoDbAnswer, "no" | "maybe"])[] = [
    ["no answer", cut, "maybe"],
    ["500", refusing(500, "InternalServerError"), "maybe"],
    ["503", refusing(503, "ServiceUnavailable"), "maybe"],
    ["the same token under way", refusing(400, "TransactionInProgressException"), "maybe"],
    ["throttling", refusing(400, "ThrottlingException"), "no"],
    ["a limit of requests", refusing(400, "RequestLimitExceeded"), "no"],
    ["no capacity", refusing(400, "ProvisionedThroughputExceededException"), "no"],
    ["old credentials", refusing(400, "ExpiredTokenException"), "no"],
    ["a conflict", cancelled("None", "TransactionConflict"), "no"],
    ["throttled items", cancelled("ThrottlingError", "ProvisionedThroughputExceeded"), "no"],
  ];

  it.each(passing)("tells of %s, and that it may be tried again", async (_, answer, applied) => {
    server.answer = answer;
    const store = await openStore();
    expect(await failure(store.transact(both))).toMatchObject({ retriable: true, applied });
    expect(server.asked).toHaveLength(writeTriesMax);
  });

  const lasting: readonly (readonly [string, DynamoDbAnswer])[] = [
    ["no table", refusing(400, "ResourceNotFoundException")],
    ["no permission", refusing(400, "AccessDeniedException")],
    ["a request that makes no sense", refusing(400, "ValidationException")],
    ["a write that makes no sense", cancelled("None", "ValidationError")],
  ];

  it.each(lasting)("tells of %s, and is not tried again", async (_, answer) => {
    server.answer = answer;
    const store = await openStore();
    const error = await failure(store.transact(both));
    expect(error).toMatchObject({ retriable: false, applied: "no" });
    expect(server.asked).toHaveLength(1);
  });

  it("had no effect when nobody is there", async () => {
    const store = await openStore();
    await server.stop();
    expect(await failure(store.transact(both))).toMatchObject({ retriable: true, applied: "no" });
    server = await ScriptedDynamoDb.start();
  });
});

function cancelled(...codes: readonly string[]): DynamoDbAnswer {
  const CancellationReasons = codes.map((Code) => ({ Code }));
  return refusing(400, "TransactionCanceledException", { CancellationReasons });
}

describe("a read", () => {
  it("is tried once, for a bounded time", async () => {
    const store = await openStore();
    for (const answer of [mute, cut, refusing(400, "ThrottlingException")]) {
      server.answer = answer;
      server.asked.length = 0;
      expect(await failure(store.get("a"))).toMatchObject({ retriable: true, applied: "no" });
      expect(server.asked).toHaveLength(1);
    }
  });

  it("tells of an item that is not one of its own", async () => {
    const store = await openStore();
    const { version: _, ...versionless } = stored(1);
    const wrong = [
      versionless,
      { ...stored(1), value: { S: "{" } },
      { ...stored(1), sk: { N: "1" } },
    ];
    for (const Item of wrong) {
      server.answer = ok({ Item });
      expect(await failure(store.get("a"))).toMatchObject({ retriable: false, applied: "no" });
    }
  });

  it("goes on when DynamoDB ends a page with nothing in it", async () => {
    const store = await openStore();
    const LastEvaluatedKey = { pk: { S: "p" }, sk: { S: "p/a" } };
    const item = { ...stored(1), pk: { S: "p" }, sk: { S: "p/b" } };
    const answers = [ok({ Items: [], LastEvaluatedKey }), ok({ Items: [item] })];
    server.answer = (asked, response) => answers.shift()?.(asked, response);
    const page = await store.range({ from: "p/", to: "p0", limit: 5 });
    expect(page).toEqual({ items: [{ key: "p/b", version: 1, value: { n: 1 } }] });
    expect(server.asked[1]?.input["ExclusiveStartKey"]).toEqual(LastEvaluatedKey);
  });
});

it("tells what was billed, and what a refusal will have been", async () => {
  const consumed: ConsumedUnits[] = [];
  const store = await openStore({ onConsumed: (each) => consumed.push(each) });
  const bill = async (answer: DynamoDbAnswer, call: () => Promise<unknown>): Promise<unknown> => {
    server.answer = answer;
    consumed.length = 0;
    await call();
    return consumed.map(({ kind, operation, units }) => [operation, kind, units]);
  };
  const read = ok({ ConsumedCapacity: { TableName: "t", CapacityUnits: 0.5 } });
  expect(await bill(read, () => store.get("a", "eventual"))).toEqual([["get", "read", 0.5]]);
  const units = { TableName: "t", CapacityUnits: 4, WriteCapacityUnits: 4 };
  const written = ok({ ConsumedCapacity: [units] });
  expect(await bill(written, () => store.transact(both))).toEqual([["transact", "write", 4]]);
  const before = { TableName: "t", CapacityUnits: 2, ReadCapacityUnits: 2 };
  const done = ok({ ConsumedCapacity: [before] });
  expect(await bill(done, () => store.transact(both))).toEqual([["transact", "read", 2]]);
  const large = { kind: "put", key: "b", value: { text: "x".repeat(3_000) } } as const;
  const refused = cancelled("ConditionalCheckFailed", "None");
  const writes = [{ ...put, condition: { is: "version", version: 9 } }, large] as const;
  expect(await bill(refused, () => store.transact(writes))).toEqual([["transact", "write", 10]]);
});
