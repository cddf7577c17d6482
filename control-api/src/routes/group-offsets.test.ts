import { expect, it } from "vitest";
import { controlKit, madeId } from "../fixtures.ts";
import { offsetResetsMax, resetPartitionsMax } from "../limits.ts";

const groups = `/v1/clusters/${madeId}/groups`;
const path = `POST ${groups}/billing/offsets`;
const committed = { topic: "orders", partition: 0, committed: 3, end: 5, lag: 2 };

/** Topics whose partitions hold five records, a second apart from 1970 on. */
function kit(state = "Empty") {
  const made = controlKit();
  for (const [name, partitions] of [
    ["orders", 2],
    ["refunds", 1],
  ] as const) {
    made.admin.table.set(name, { name, partitions, configs: {} });
  }
  made.admin.groupTable.set("billing", { state, lag: [committed] });
  const reset = (body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    made.ask("operator", path, { body, headers });
  const offsets = async () =>
    (await made.admin.groups.committed("billing")).map(
      ({ offset, partition, topic }) => `${topic}/${partition}=${offset}`,
    );
  return { ...made, reset, offsets };
}

it("takes a topic, or one partition, to each kind of place, and says what was and what is", async () => {
  const { offsets, reset } = kit();
  const resets = [
    { topic: "refunds", to: "latest" },
    { topic: "orders", partition: 1, to: { timestamp: "1970-01-01T00:00:01.500Z" } },
    { topic: "orders", partition: 0, to: { offset: 1 } },
  ];
  const { body, status } = await reset({ resets });
  expect(status).toBe(200);
  expect(body).toEqual({
    dryRun: false,
    partitions: [
      { topic: "orders", partition: 0, committed: 3, offset: 1 },
      { topic: "orders", partition: 1, committed: -1, offset: 2 },
      { topic: "refunds", partition: 0, committed: -1, offset: 5 },
    ],
  });
  expect(await offsets()).toEqual(["orders/0=1", "orders/1=2", "refunds/0=5"]);
  await reset({ resets: [{ topic: "orders", to: "earliest" }] });
  expect(await offsets()).toEqual(["refunds/0=5", "orders/0=0", "orders/1=0"]);
});

it("takes what lies outside of a partition to its nearer end", async () => {
  const { reset } = kit();
  const to = async (place: object) => {
    const resets = [{ topic: "refunds", to: place }];
    const { body } = await reset({ resets, dryRun: true });
    return body["partitions"];
  };
  expect(await to({ offset: 6 })).toMatchObject([{ offset: 5 }]);
  expect(await to({ timestamp: "2100-01-01T00:00:00+02:00" })).toMatchObject([{ offset: 5 }]);
  expect(await to({ timestamp: "1900-01-01T00:00:00Z" })).toMatchObject([{ offset: 0 }]);
});

it("shows by a dry run what would be, and commits nothing", async () => {
  const { offsets, reset } = kit();
  const { body } = await reset({ resets: [{ topic: "orders", to: "latest" }], dryRun: true });
  expect(body).toMatchObject({ dryRun: true, partitions: [{ committed: 3, offset: 5 }, {}] });
  expect(await offsets()).toEqual(["orders/0=3"]);
});

it("is refused while the group has members, and when one joins in between", async () => {
  const resets = [{ topic: "orders", to: "earliest" }];
  const busy = kit("Stable");
  for (const dryRun of [true, false]) {
    const refused = await busy.reset({ resets, dryRun });
    expect(refused).toMatchObject({ status: 409, body: { code: "NON_EMPTY_GROUP" } });
    expect(refused.body["type"]).toBe("/docs/problems#group-not-empty");
  }
  const { admin, offsets, reset } = kit();
  const { alterOffsets } = admin.groups;
  admin.groups.alterOffsets = async (id, planned) => {
    admin.groupTable.set("billing", { state: "Stable", lag: [committed] });
    await alterOffsets(id, planned);
  };
  const late = await reset({ resets });
  expect(late).toMatchObject({ status: 409, body: { code: "UNKNOWN_MEMBER_ID" } });
  expect(late.body["type"]).toBe("/docs/problems#group-not-empty");
  expect(await offsets()).toEqual(["orders/0=3"]);
});

it("makes a group that is not there, for consumers to come", async () => {
  const { admin, ask } = kit();
  const resets = [{ topic: "refunds", to: "latest" }];
  const made = await ask("operator", `POST ${groups}/later/offsets`, { body: { resets } });
  expect(made.status).toBe(200);
  expect(await admin.groups.committed("later")).toMatchObject([{ offset: 5 }]);
});

it("names what is not there, and what is named twice", async () => {
  const { admin, offsets, reset } = kit();
  const missing = await reset({ resets: [{ topic: "nothing", to: "latest" }] });
  expect(missing).toMatchObject({ status: 404, body: { code: "UNKNOWN_TOPIC_OR_PARTITION" } });
  const partition = await reset({ resets: [{ topic: "orders", partition: 2, to: "latest" }] });
  expect(partition).toMatchObject({
    ...{ status: 404, body: { errors: [{ pointer: "/resets/0/partition" }] } },
  });
  const resets = [
    { topic: "orders", to: "latest" },
    { topic: "orders", partition: 1, to: "earliest" },
  ];
  const twice = await reset({ resets });
  expect(twice).toMatchObject({ status: 400, body: { errors: [{ pointer: "/resets/1" }] } });
  expect(await offsets()).toEqual(["orders/0=3"]);
  expect(admin.groupTable.size).toBe(1);
});

it("has a bounded number of places, and of partitions that they come to", async () => {
  const { admin, reset } = kit();
  const many = (count: number) =>
    Array.from({ length: count }, (_, partition) => ({ topic: "wide", partition, to: "latest" }));
  admin.table.set("wide", { name: "wide", partitions: resetPartitionsMax, configs: {} });
  expect((await reset({ resets: many(offsetResetsMax) })).status).toBe(200);
  expect((await reset({ resets: many(offsetResetsMax + 1) })).status).toBe(400);
  const whole = [{ topic: "wide", to: "earliest" }];
  expect((await reset({ resets: whole })).body["partitions"]).toHaveLength(resetPartitionsMax);
  const wider = [...whole, { topic: "orders", to: "earliest" }];
  expect(await reset({ resets: wider })).toMatchObject({ status: 400 });
});

it("takes an operator, and the same places no other way", async () => {
  const { ask, reset } = kit();
  const body = { resets: [{ topic: "orders", to: "latest" }] };
  expect((await ask("viewer", path, { body })).status).toBe(403);
  for (const to of ["end", {}, { offset: -1 }, { timestamp: "yesterday" }, { offset: 1, by: 2 }]) {
    expect((await reset({ resets: [{ topic: "orders", to }] })).status).toBe(400);
  }
  expect((await reset({ resets: [] })).status).toBe(400);
});

it("is done once for one Idempotency-Key, though the group went on since", async () => {
  const { admin, offsets, reset } = kit();
  const headers = { "idempotency-key": "a-reset-that-nobody-guesses" };
  const body = { resets: [{ topic: "orders", to: "earliest" }] };
  const first = await reset(body, headers);
  await admin.groups.alterOffsets("billing", [{ topic: "orders", partition: 0, offset: 4 }]);
  const again = await reset(body, headers);
  expect(again.body).toEqual(first.body);
  expect(again.headers.get("idempotent-replayed")).toBe("true");
  expect(await offsets()).toContain("orders/0=4");
});
