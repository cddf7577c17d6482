import { describe, expect, it } from "vitest";
import { applyOperations, type ConfigOperation, dynamicConfigFault } from "./changes.ts";
import { topicConfigs } from "./topic-configs.ts";

function after(before: Record<string, string>, ...operations: readonly ConfigOperation[]): unknown {
  const change = applyOperations(new Map(Object.entries(before)), operations, topicConfigs);
  return change.ok ? Object.fromEntries(change.configs) : change.message;
}

const policy = (kind: ConfigOperation["kind"], value: string): ConfigOperation => {
  return { kind, name: "cleanup.policy", value };
};

describe("incremental changes of configs", () => {
  it("set and delete, whether the key is known or was set", () => {
    const set: ConfigOperation = { kind: "set", name: "retention.ms", value: "5" };
    const drop: ConfigOperation = { kind: "delete", name: "nobody", value: "" };
    expect(after({ "flush.ms": "1" }, set, drop)).toEqual({ "flush.ms": "1", "retention.ms": "5" });
    expect(after({ "retention.ms": "1" }, { ...drop, name: "retention.ms" })).toEqual({});
  });

  it("append to what is set, or to the default, and only what is missing", () => {
    expect(after({}, policy("append", "compact"))).toEqual({ "cleanup.policy": "delete,compact" });
    expect(after({}, policy("append", "delete"))).toEqual({});
    expect(after({ "cleanup.policy": "compact" }, policy("append", "compact,compact"))).toEqual({
      "cleanup.policy": "compact",
    });
  });

  it("subtract from what is set, or from the default", () => {
    const both = { "cleanup.policy": "delete, compact" };
    expect(after(both, policy("subtract", "delete"))).toEqual({ "cleanup.policy": "compact" });
    expect(after({}, policy("subtract", "compact"))).toEqual({});
    expect(after({}, policy("subtract", "delete"))).toEqual({ "cleanup.policy": "" });
  });

  it("subtract very much from very much in a time that rises with both, not with their product", () => {
    const name = "leader.replication.throttled.replicas";
    const [present, gone] = [10_000, 300_000].map((count) =>
      Array.from({ length: count }, (_, at) => `${at}:${count}`).join(","),
    );
    const before = { [name]: present ?? "" };
    const begunMs = performance.now();
    expect(after(before, { kind: "subtract", name, value: gone ?? "" })).toEqual(before);
    expect(performance.now() - begunMs).toBeLessThan(2_000);
  });

  it("refuse to append to what is no list", () => {
    const append: ConfigOperation = { kind: "append", name: "retention.ms", value: "5" };
    const message = "Can't APPEND to key retention.ms because its type is not LIST.";
    expect(after({}, append)).toBe(message);
  });
});

describe("dynamic configs of brokers", () => {
  it.each([
    [
      { "message.max.bytes": "5", "num.partitions": "5", "log.dir": "/x" },
      "Cannot update these configs dynamically: [num.partitions, log.dir]",
    ],
    [
      { "message.max.bytes": "x" },
      "Invalid value x for configuration message.max.bytes: Not a number of type INT",
    ],
    [{ "message.max.bytes": "5", "some.plugin.key": "5" }, undefined],
    [
      { "listener.name.external.plain.sasl.jaas.config": "x", "listener.name.x.any.key": "5" },
      "Cannot update these configs dynamically: [listener.name.external.plain.sasl.jaas.config, listener.name.x.any.key]",
    ],
    // Valid for the broker's key, and not for the topics' that takes its default from it.
    [
      { "log.flush.interval.ms": "-1" },
      "Invalid value -1 for configuration flush.ms: Value must be at least 0",
    ],
    [{ "log.flush.interval.ms": "0", "log.retention.ms": "-1" }, undefined],
  ])("are checked as Kafka checks them: %j", (configs, fault) => {
    expect(dynamicConfigFault(new Map(Object.entries(configs)), "cluster")).toBe(fault);
  });
});
