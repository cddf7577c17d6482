import { MetadataError, type Write } from "@millrace/core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SeededRandom } from "@millrace/adapter-memory";
import type { StandIn } from "../stand-in.ts";
import { startDynamoDbLocal } from "./dynamodb-local.ts";
import { FaultyWay } from "./kit.ts";
import type { Fate, Passed } from "./reply-losing-proxy.ts";

let server: StandIn | undefined;
let way: FaultyWay;

beforeAll(async () => {
  server = await startDynamoDbLocal();
}, 900_000);

afterAll(async () => {
  await server?.stop();
});

beforeEach(async () => {
  way = await FaultyWay.open(server?.endpoint ?? "");
});

afterEach(() => way.close());

const put = (key: string, n: number, condition?: Write["condition"]): Write =>
  condition === undefined
    ? { kind: "put", key, value: { n } }
    : { kind: "put", key, value: { n }, condition };

const sent = (operation: string): readonly Passed[] =>
  way.proxy.passed.filter((each) => each.operation === operation);

const forever = (operation: string, fate: Fate): void => {
  way.proxy.fateOf = (each) => (each === operation ? fate : "pass");
};

/** The MetadataError that the call ends with. */
async function failure(call: Promise<unknown>): Promise<MetadataError> {
  const outcome = await call.catch((error: unknown) => error);
  if (outcome instanceof MetadataError) return outcome;
  throw new Error(`not a MetadataError: ${String(outcome)}`, { cause: outcome });
}

describe.each(["loseReply", "loseRequest"] as const)("with %s once", (fate) => {
  const conditions: readonly (Write["condition"] | undefined)[] = [
    undefined,
    { is: "version", version: 1 },
    { is: "epochAtMost", epoch: 0 },
  ];

  it.each(conditions)("a value over a known state is written just once (%o)", async (condition) => {
    await way.store.transact([put("a", 1, { is: "absent" })]);
    way.proxy.plan("UpdateItem", fate);
    expect(await way.store.transact([put("a", 2, condition)])).toEqual({ ok: true });
    expect(await way.other.get("a")).toEqual({ key: "a", version: 2, value: { n: 2 } });
    expect(sent("UpdateItem")).toHaveLength(2);
    expect(new Set(sent("UpdateItem").map(({ body }) => body.toString())).size).toBe(1);
  });

  it("a creation is made just once", async () => {
    way.proxy.plan("TransactWriteItems", fate);
    expect(await way.store.transact([put("a", 1, { is: "absent" })])).toEqual({ ok: true });
    expect((await way.other.get("a"))?.version).toBe(1);
  });

  it("a deletion is made just once", async () => {
    await way.other.transact([put("a", 1)]);
    way.proxy.plan("TransactWriteItems", fate);
    const condition = { is: "version", version: 1 } as const;
    expect(await way.store.transact([{ kind: "delete", key: "a", condition }])).toEqual({
      ok: true,
    });
    expect(await way.other.get("a")).toBeUndefined();
  });

  it("a transaction is made just once, by the same token and content", async () => {
    await way.store.transact([put("a", 1), put("b", 1)]);
    way.proxy.plan("TransactWriteItems", fate, fate);
    const writes = [put("a", 2, { is: "version", version: 1 }), put("b", 2), put("c", 1)];
    expect(await way.store.transact(writes)).toEqual({ ok: true });
    const versions = await Promise.all(["a", "b", "c"].map((key) => way.other.get(key)));
    expect(versions.map((item) => item?.version)).toEqual([2, 2, 1]);
    const bodies = sent("TransactWriteItems").slice(1);
    expect(bodies).toHaveLength(3);
    expect(new Set(bodies.map(({ body }) => body.toString())).size).toBe(1);
  });
});

describe("what has no answer", () => {
  it.each([
    ["UpdateItem", "loseReply", 2],
    ["UpdateItem", "loseRequest", 1],
    ["TransactWriteItems", "loseReply", 2],
    ["TransactWriteItems", "loseRequest", 1],
  ] as const)("%s, %s: ends as a failure that may be applied", async (operation, fate, left) => {
    await way.store.transact([put("a", 1), put("b", 1)]);
    forever(operation, fate);
    const writes = operation === "UpdateItem" ? [put("a", 2)] : [put("a", 2), put("b", 2)];
    const error = await failure(way.store.transact(writes));
    expect(error).toMatchObject({ applied: "maybe", retriable: true });
    expect(sent(operation).length).toBeGreaterThan(3);
    expect((await way.other.get("a"))?.version).toBe(left);
  });

  it("is not told from another's write over it", async () => {
    await way.store.transact([put("a", 1, { is: "absent" })]);
    let updates = 0;
    way.proxy.fateOf = async (operation) => {
      if (operation !== "UpdateItem") return "pass";
      updates += 1;
      if (updates === 1) return "loseReply";
      if (updates === 2) await way.other.transact([put("a", 3)]);
      return "pass";
    };
    const error = await failure(way.store.transact([put("a", 2, { is: "version", version: 1 })]));
    expect(error).toMatchObject({ applied: "maybe", retriable: true });
    expect(await way.other.get("a")).toEqual({ key: "a", version: 3, value: { n: 3 } });
  });

  it("makes a read fail that the caller may try again", async () => {
    for (const [operation, read] of [
      ["GetItem", () => way.store.get("a")],
      ["Query", () => way.store.range({ from: "a/", to: "a0", limit: 1 })],
    ] as const) {
      way.proxy.plan(operation, "loseReply");
      expect(await failure(read())).toMatchObject({ applied: "no", retriable: true });
      expect(sent(operation)).toHaveLength(1);
    }
  });
});

describe("what arrives late, or twice,", () => {
  it("does not write an older value over a newer one", async () => {
    await way.store.transact([put("a", 1)]);
    await way.store.transact([put("a", 2)]);
    await way.store.transact([put("a", 3)]);
    for (const each of way.proxy.passed.slice()) await way.proxy.sendAgain(each);
    expect(await way.other.get("a")).toEqual({ key: "a", version: 3, value: { n: 3 } });
  });

  it("does not bring back what was deleted, nor delete what came back", async () => {
    await way.store.transact([put("a", 1, { is: "absent" })]);
    await way.store.transact([put("a", 2)]);
    await way.store.transact([{ kind: "delete", key: "a" }]);
    for (const each of way.proxy.passed.slice()) await way.proxy.sendAgain(each);
    expect(await way.other.get("a")).toBeUndefined();
    await way.store.transact([put("a", 3, { is: "absent" })]);
    for (const each of way.proxy.passed.slice()) await way.proxy.sendAgain(each);
    expect(await way.other.get("a")).toEqual({ key: "a", version: 1, value: { n: 3 } });
  });
});

describe("what DynamoDB refuses for now", () => {
  const conflict = {
    status: 400,
    type: "TransactionCanceledException",
    fields: { CancellationReasons: [{ Code: "None" }, { Code: "TransactionConflict" }] },
  };
  const throttled = { status: 400, type: "ThrottlingException" };
  const noCapacity = { status: 400, type: "ProvisionedThroughputExceededException" };

  it.each([
    ["TransactWriteItems", conflict],
    ["TransactWriteItems", throttled],
    ["TransactWriteItems", { status: 400, type: "TransactionInProgressException" }],
    ["TransactWriteItems", { status: 500, type: "InternalServerError" }],
    ["UpdateItem", noCapacity],
    ["UpdateItem", { status: 400, type: "TransactionConflictException" }],
    ["UpdateItem", { status: 503, type: "ServiceUnavailable" }],
  ])("%s is tried again after $type", async (operation, refusal) => {
    await way.store.transact([put("a", 1), put("b", 1)]);
    way.proxy.plan(operation, refusal, refusal);
    const writes = operation === "UpdateItem" ? [put("a", 2)] : [put("a", 2), put("b", 2)];
    expect(await way.store.transact(writes)).toEqual({ ok: true });
    expect((await way.other.get("a"))?.version).toBe(2);
  });

  it.each([
    ["TransactWriteItems", conflict],
    ["UpdateItem", noCapacity],
  ])("%s ends as a failure without effect if that goes on", async (operation, refusal) => {
    await way.store.transact([put("a", 1), put("b", 1)]);
    forever(operation, refusal);
    const writes = operation === "UpdateItem" ? [put("a", 2)] : [put("a", 2), put("b", 2)];
    const error = await failure(way.store.transact(writes));
    expect(error).toMatchObject({ applied: "no", retriable: true });
    expect((await way.other.get("a"))?.version).toBe(1);
  });
});

describe("two stores of one table", () => {
  it("lose none of their increments, and make none twice, whatever gets lost", async () => {
    const random = new SeededRandom(7);
    const fates: readonly Fate[] = ["pass", "pass", "pass", "loseReply", "loseRequest"];
    let lostInARow = 0;
    way.proxy.fateOf = () => {
      const fate = lostInARow < 2 ? (fates[random.below(fates.length)] ?? "pass") : "pass";
      lostInARow = fate === "pass" ? 0 : lostInARow + 1;
      return fate;
    };
    let [done, unknown] = [0, 0];
    const increments = async (store: typeof way.store, rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round += 1) {
        const item = await store.get("count").catch(() => undefined);
        const condition: Write["condition"] =
          item === undefined ? { is: "absent" } : { is: "version", version: item.version };
        const write = put("count", (item?.version ?? 0) + 1, condition);
        const writes = round % 2 === 0 ? [write] : [write, put(`beside/${round}`, round)];
        try {
          if ((await store.transact(writes)).ok) done += 1;
        } catch (error) {
          if (!(error instanceof MetadataError)) throw error;
          if (error.applied === "maybe") unknown += 1;
        }
      }
    };
    await Promise.all([increments(way.store, 150), increments(way.other, 150)]);
    const item = await way.other.get("count");
    expect(item?.value["n"]).toBe(item?.version);
    expect(done).toBeGreaterThan(100);
    expect(item?.version).toBeGreaterThanOrEqual(done);
    expect(item?.version).toBeLessThanOrEqual(done + unknown);
  });
});

describe("what is billed", () => {
  it("is told by request: half for eventual reads, a lone check as a read", async () => {
    const billed = async (run: () => Promise<unknown>): Promise<unknown> => {
      way.consumed.length = 0;
      await run();
      return way.consumed.map(({ kind, operation, units }) => [operation, kind, units]);
    };
    const { store } = way;
    // How many units a transaction is, the stand-in counts otherwise than AWS.
    const transacted = [["transact", "write", expect.any(Number)]];
    expect(await billed(() => store.transact([put("p/a", 1)]))).toEqual(transacted);
    expect(await billed(() => store.transact([put("p/a", 1)]))).toEqual([["put", "write", 1]]);
    const two = [put("p/a", 1), put("b", 1)];
    expect(await billed(() => store.transact(two))).toEqual(transacted);
    expect(await billed(() => store.get("p/a"))).toEqual([["get", "read", 1]]);
    expect(await billed(() => store.get("p/a", "eventual"))).toEqual([["get", "read", 0.5]]);
    const range = { from: "p/", to: "p0", limit: 9 };
    expect(await billed(() => store.range(range))).toEqual([["range", "read", 1]]);
    const check = { kind: "check", key: "b", condition: { is: "absent" } } as const;
    expect(await billed(() => store.transact([check]))).toEqual([["get", "read", 1]]);
    const refused = [put("p/a", 1, { is: "absent" }), put("c", 1)];
    expect(await billed(() => store.transact(refused))).toEqual([["transact", "write", 4]]);
    const large: Write = { kind: "put", key: "b", value: { text: "x".repeat(5_000) } };
    expect(await billed(() => store.transact([large]))).toEqual([["put", "write", 5]]);
  });
});
