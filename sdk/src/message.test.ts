import { expect, test } from "vitest";
import { z } from "zod";
import { digits } from "../test/memory-client.ts";
import { bytes, type Codec, json, string } from "./codec.ts";
import { MessageFormat, type TopicSchemas, type UntypedMessage } from "./message.ts";

const order = z.object({ total: z.number(), paid: z.boolean().default(false) });

async function roundTrip(schemas: TopicSchemas, message: UntypedMessage) {
  const format = new MessageFormat("orders", schemas);
  const record = await format.encode(message);
  const back = await format.decode({ ...record, offset: 3 }, 1);
  return { record, back };
}

const text = (encoded: Uint8Array | null): string | null =>
  encoded === null ? null : Buffer.from(encoded).toString();

test("a schema alone is JSON as a value and plain text as a key; defaults come with reading", async () => {
  const message = { key: "o-1", value: { total: 5 }, timestamp: 9 };
  const { record, back } = await roundTrip({ key: z.string(), value: order }, message);
  expect([text(record.key), text(record.value)]).toEqual(["o-1", '{"total":5}']);
  expect(back).toMatchObject({ key: "o-1", value: { total: 5, paid: false } });
  expect(back).toMatchObject({ topic: "orders", partition: 1, offset: 3, timestamp: 9 });
});

test("a schema that transforms gives what it transforms to, on the reading side alone", async () => {
  const { record, back } = await roundTrip(
    { key: digits, value: digits },
    { key: "12", value: "34" },
  );
  expect([text(record.key), text(record.value)]).toEqual(["12", '"34"']);
  expect([back.key, back.value]).toEqual([12, 34]);
});

test("schemas may answer later", async () => {
  const schema = z.string().refine((value) => Promise.resolve(value !== "no"));
  const { back } = await roundTrip({ value: json(schema) }, { value: "yes" });
  expect(back.value).toBe("yes");
  const refused = new MessageFormat("orders", { value: schema }).encode({ value: "no" });
  await expect(refused).rejects.toMatchObject({ code: "INVALID_MESSAGE", side: "value" });
});

test("text, bytes and codecs of one's own", async () => {
  const int8: Codec<number> = {
    encode: (value) => Uint8Array.of(value),
    decode: (encoded) => encoded[0] ?? 0,
  };
  const { record, back } = await roundTrip(
    { key: int8, value: bytes() },
    {
      key: 7,
      value: Uint8Array.of(1, 2),
    },
  );
  expect([record.key, record.value]).toEqual([Uint8Array.of(7), Uint8Array.of(1, 2)]);
  expect([back.key, back.value]).toEqual([7, Uint8Array.of(1, 2)]);
});

test.for([
  [{ value: order }, { value: { total: "5" } }, "value", /expected number/],
  [{ key: z.string().min(3), value: order }, { key: "a", value: { total: 5 } }, "key", />=3/],
  [{ key: string(), value: string() }, { value: "" }, "key", /not a string/],
  [{ value: string() }, { key: "k", value: "" }, "key", /without a key/],
  [{ value: json() }, { value: undefined }, "value", /JSON has no form/],
  [{ value: bytes() }, { value: "text" }, "value", /Uint8Array/],
  [{ value: string() }, { value: null }, "value", /not a string/],
] as const)("refuses to write what does not fit: %#", async ([schemas, message, side, said]) => {
  const format = new MessageFormat("orders", schemas);
  const encoded = (async () => format.encode(message))();
  await expect(encoded).rejects.toMatchObject({ name: "ValidationError", side, topic: "orders" });
  await expect(encoded).rejects.toThrow(said);
});

test.for([
  [{ value: order }, { value: Buffer.from("{") }, "value"],
  [{ value: order }, { value: null }, "value"],
  [{ key: string(), value: string() }, { value: Buffer.from("") }, "key"],
  [{ value: string() }, { value: Uint8Array.of(0xff) }, "value"],
] as const)("refuses to read what does not fit: %#", async ([schemas, { value }, side]) => {
  const format = new MessageFormat("orders", schemas);
  const record = { key: null, value, headers: [], timestampMs: 0, offset: 8 };
  const decoded = (async () => format.decode(record, 2))();
  await expect(decoded).rejects.toMatchObject({ side, partition: 2, offset: 8 });
});

test("a topic with tombstones takes null, and gives it", async () => {
  const { record, back } = await roundTrip(
    { key: string(), value: order, tombstones: true },
    { key: "gone", value: null },
  );
  expect(record.value).toBeNull();
  expect(back.value).toBeNull();
});

test("headers are read by name, the last one of it, and in order", async () => {
  const headers = [
    ["a", "1"],
    ["b", null],
    ["a", Uint8Array.of(50)],
  ] as const;
  const { back } = await roundTrip({ value: string() }, { value: "", headers });
  expect([back.headers.get("a"), back.headers.get("b"), back.headers.size]).toEqual([
    "2",
    undefined,
    3,
  ]);
  expect(Array.from(back.headers, ([name]) => name)).toEqual(["a", "b", "a"]);
  const named = await roundTrip({ value: string() }, { value: "", headers: { trace: "x" } });
  expect(named.back.headers.get("trace")).toBe("x");
});

test.for([1.5, Number.NaN, Number.POSITIVE_INFINITY, -1])(
  "a timestamp of %d is refused before it meets the records of others",
  (timestamp) => {
    const format = new MessageFormat("lines", { value: string() });
    expect(() => format.encode({ value: "", timestamp })).toThrow("milliseconds since 1970");
  },
);

test("headers and codecs that give no bytes are refused before they meet the records of others", () => {
  const lines = new MessageFormat("lines", { value: string() });
  const headers = { trace: 7 } as unknown as { readonly trace: string };
  expect(() => lines.encode({ value: "", headers })).toThrow("header trace must be");
  const words = { trace: new Uint16Array(1) } as unknown as { readonly trace: Uint8Array };
  expect(() => lines.encode({ value: "", headers: words })).toThrow("header trace must be");
  const nameless = [[undefined, "x"]] as unknown as readonly [string, string][];
  expect(() => lines.encode({ value: "", headers: nameless })).toThrow("name is text");
  const wrong: Codec<string> = { encode: (value) => value as never, decode: () => "" };
  const typed = new MessageFormat("lines", { value: wrong });
  expect(() => typed.encode({ value: "text" })).toThrow("did not give a Uint8Array");
  const view: Codec<string> = {
    encode: () => new DataView(new ArrayBuffer(1)) as never,
    decode: () => "",
  };
  const viewed = new MessageFormat("lines", { value: view });
  expect(() => viewed.encode({ value: "text" })).toThrow("did not give a Uint8Array");
});

test("a side that refuses later leaves no rejection behind where the other refuses at once", async () => {
  const key = z.string().refine(() => Promise.resolve(false));
  const format = new MessageFormat("orders", { key, value: json(z.number()) });
  const left: unknown[] = [];
  const note = (error: unknown): void => void left.push(error);
  process.on("unhandledRejection", note);
  expect(() => format.encode({ key: "k", value: "none" })).toThrow();
  const record = { key: Buffer.from("k"), value: Buffer.from("{"), headers: [] };
  expect(() => format.decode({ ...record, offset: 0, timestampMs: 0 }, 0)).toThrow();
  await new Promise((next) => setTimeout(next, 20));
  process.off("unhandledRejection", note);
  expect(left).toEqual([]);
});
