import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TopicId, topicId } from "../ids.ts";
import { Catalog } from "./catalog.ts";
import { readTopic, type Topic, topicItem } from "./topic.ts";
import { collisionKey } from "./topic-name.ts";

const none: ReadonlyMap<string, string> = new Map();

function topic(name: string, n: number, partitionCount: number): Topic {
  const id = topicId((n + 1).toString(16).padStart(32, "0"));
  return { name, id, partitionCount, replicationFactor: 1, configs: none, isInternal: false };
}

type Step =
  | { readonly kind: "put"; readonly name: string; readonly partitions: number }
  | { readonly kind: "grow"; readonly name: string }
  | { readonly kind: "remove"; readonly name: string };

const names = fc.constantFrom("a", "b", "a.b", "a_b", "a.b.c", "a_b.c", "a-b");
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("put" as const), name: names, partitions: fc.nat(9) }),
    fc.record({ kind: fc.constant("grow" as const), name: names }),
    fc.record({ kind: fc.constant("remove" as const), name: names }),
  ),
);

/** One step on the catalog and on the model, a plain map. */
function take(step: Step, on: { catalog: Catalog; model: Map<string, Topic>; n: number }): void {
  const { catalog, model, n } = on;
  const before = model.get(step.name);
  const after =
    step.kind === "put"
      ? topic(step.name, n, step.partitions)
      : before && { ...before, partitionCount: before.partitionCount + 1 };
  if (step.kind === "remove" || after === undefined) {
    catalog.remove(step.name);
    model.delete(step.name);
    return;
  }
  catalog.put({ topic: after, version: n, stamp: `${n}` });
  model.set(step.name, after);
}

describe("the catalog of topics", () => {
  it("answers like a plain map of topics, whatever comes and goes", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const catalog = new Catalog();
        const model = new Map<string, Topic>();
        const ids = new Set<TopicId>();
        all.forEach((step, n) => {
          take(step, { catalog, model, n });
          for (const { id } of model.values()) ids.add(id);
          const expected = [...model.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
          expect(catalog.list()).toEqual(expected);
          expect(catalog.size).toBe(model.size);
          expect(catalog.partitionCount).toBe(
            expected.reduce((sum, t) => sum + t.partitionCount, 0),
          );
          for (const id of ids) {
            expect(catalog.byId(id)).toBe(expected.find((one) => one.id === id));
          }
          for (const name of ["a.b", "a_b", "a.b_c", "a-b"]) {
            const twins = expected.filter(
              (one) => one.name !== name && collisionKey(one.name) === collisionKey(name),
            );
            const found = catalog.collidingName(name);
            expect(found === undefined ? 0 : 1).toBe(Math.min(1, twins.length));
            if (found !== undefined) expect(twins.map((one) => one.name)).toContain(found);
          }
        });
      }),
    );
  });

  it("gives the same list until something changes, and never changes a list it gave", () => {
    const catalog = new Catalog();
    catalog.put({ topic: topic("b", 1, 1), version: 1, stamp: "1" });
    const first = catalog.list();
    expect(catalog.list()).toBe(first);
    catalog.put({ topic: topic("a", 2, 1), version: 1, stamp: "2" });
    expect(first.map((one) => one.name)).toEqual(["b"]);
    expect(catalog.list().map((one) => one.name)).toEqual(["a", "b"]);
  });

  it("takes an id that two topics have for a bug", () => {
    const catalog = new Catalog();
    catalog.put({ topic: topic("a", 1, 1), version: 1, stamp: "1" });
    const twin = { topic: topic("b", 1, 1), version: 1, stamp: "2" };
    expect(() => catalog.put(twin)).toThrow(/used twice/);
  });
});

describe("a topic's item", () => {
  it("is read back as it was written", () => {
    const configs = new Map([["retention.ms", " 5 "]]);
    const written = { ...topic("a", 1, 10_000), configs, isInternal: true };
    const item = { key: "topic/a", version: 4, value: topicItem(written, "me/1") };
    expect(readTopic(item)).toEqual({ topic: written, version: 4, stamp: "me/1" });
    expect(JSON.stringify(item).length).toBeLessThan(300);
  });

  it("is not read when it is damaged", () => {
    const value = topicItem(topic("a", 1, 1), "s");
    for (const field of ["name", "id", "partitions", "replicationFactor", "configs", "stamp"]) {
      const damaged = { key: "topic/a", version: 1, value: { ...value, [field]: null } };
      expect(() => readTopic(damaged), field).toThrow(/topic\/a cannot be read/);
    }
  });
});
