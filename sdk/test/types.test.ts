/** What the compiler infers, and what it refuses: the types gate reads this file; nothing is run. */
import { expectTypeOf, test } from "vitest";
import { z } from "zod";
import {
  bytes,
  type Cluster,
  type ControlPlane,
  json,
  type Message,
  type MillraceClient,
  string,
  type Topic,
} from "../src/index.ts";
import { digits } from "./memory-client.ts";

declare const client: MillraceClient;
declare const control: ControlPlane;
const order = z.object({ total: z.number(), paid: z.boolean().default(false) });

type Read<T> = T extends Topic<infer S, infer Name> ? Message<S, Name> : never;

/** Only the types of what it returns are of interest. */
const never = (_unused: () => unknown): void => undefined;

test("a topic's types come from its schemas", () => {
  never(() => {
    const orders = client.topic("orders", { key: z.string(), value: order });
    expectTypeOf<Read<typeof orders>["topic"]>().toEqualTypeOf<"orders">();
    expectTypeOf<Read<typeof orders>["key"]>().toEqualTypeOf<string>();
    expectTypeOf<Read<typeof orders>["value"]>().toEqualTypeOf<{ total: number; paid: boolean }>();
    expectTypeOf(orders.send).parameter(0).toHaveProperty("key").toEqualTypeOf<string>();
    expectTypeOf(orders.send)
      .parameter(0)
      .toHaveProperty("value")
      .toEqualTypeOf<{ total: number; paid?: boolean | undefined }>();
    return orders;
  });
});

test("a missing key, a key too many, and a wrong value do not compile", () => {
  never(() => {
    const orders = client.topic("orders", { key: z.string(), value: order });
    const lines = client.topic("lines", { value: string() });
    // @ts-expect-error: the key is missing
    const first = orders.send({ value: { total: 1 } });
    // @ts-expect-error: the value is of another type
    const second = orders.send({ key: "a", value: { total: "1" } });
    // @ts-expect-error: the key is of another type
    const third = orders.send({ key: 1, value: { total: 1 } });
    // @ts-expect-error: the topic has no keys
    const fourth = lines.send({ key: "a", value: "b" });
    // @ts-expect-error: a tombstone where the topic has none
    const fifth = orders.send({ key: "a", value: null });
    // @ts-expect-error: a schema that takes no text is no key without a codec
    const sixth = client.topic("orders", { key: z.number(), value: order });
    // @ts-expect-error: producers hold to a topic's types as well
    const seventh = client.producer().enqueue(orders, { key: "a", value: 1 });
    return [first, second, third, fourth, fifth, sixth, seventh];
  });
});

test("codecs say what goes in and what comes out", () => {
  never(() => {
    const made = client.topic("made", { key: json(z.object({ id: z.number() })), value: bytes() });
    expectTypeOf<Read<typeof made>["key"]>().toEqualTypeOf<{ id: number }>();
    expectTypeOf<Read<typeof made>["value"]>().toEqualTypeOf<Uint8Array>();
    const transformed = client.topic("transformed", { key: digits, value: string(digits) });
    expectTypeOf<Read<typeof transformed>["key"]>().toEqualTypeOf<number>();
    expectTypeOf<Read<typeof transformed>["value"]>().toEqualTypeOf<number>();
    expectTypeOf(transformed.send).parameter(0).toHaveProperty("value").toEqualTypeOf<string>();
    const plain = client.topic("plain", { value: json<{ a: 1 }>(), tombstones: true });
    expectTypeOf<Read<typeof plain>["key"]>().toEqualTypeOf<Uint8Array | null>();
    expectTypeOf<Read<typeof plain>["value"]>().toEqualTypeOf<{ a: 1 } | null>();
    return [made, transformed, plain];
  });
});

test("a consumer of several topics is told apart by the topic", () => {
  never(async () => {
    const lines = client.topic("lines", { value: string() });
    const orders = client.topic("orders", { key: z.string(), value: order });
    for await (const message of client.consumer([lines, orders])) {
      if (message.topic === "lines") expectTypeOf(message.value).toEqualTypeOf<string>();
      else expectTypeOf(message.value.total).toEqualTypeOf<number>();
    }
    await orders.consume().run(({ key, value }) => {
      expectTypeOf(key).toEqualTypeOf<string>();
      expectTypeOf(value.paid).toEqualTypeOf<boolean>();
    });
  });
});

test("what the control plane does not take does not compile", () => {
  never(() => {
    const cluster = control.cluster("cl_01k2m3n4p5q6r7s8");
    // @ts-expect-error: the name is missing
    const first = control.clusters.create({ brokers: 3 });
    // @ts-expect-error: there is no such role
    const second = control.apiKeys.create({ name: "x", role: "root" });
    // @ts-expect-error: a config's value is a text
    const third = cluster.topics.create({ name: "x", configs: { "retention.ms": 1 } });
    // @ts-expect-error: there is no such limit
    const fourth = control.clusters.change("x", { limits: { "log.dirs": "/" } });
    // @ts-expect-error: it does not change its name
    const fifth = cluster.topics.change("x", { name: "y" });
    const sixth = control.clusters.create({ name: "x", limits: { "max.connections": "9" } });
    expectTypeOf<Awaited<typeof sixth>>().toEqualTypeOf<Cluster>();
    expectTypeOf<Cluster["operation"]>().toEqualTypeOf<string | undefined>();
    return [first, second, third, fourth, fifth, sixth];
  });
});
