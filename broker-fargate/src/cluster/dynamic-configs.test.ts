import { configCharactersMax, keys } from "@millrace/core";
import { describe, expect, it } from "vitest";
import type { ConfigOutcome } from "./cluster.ts";
import {
  createTopic,
  openTestCluster,
  settled,
  type TestCluster,
} from "../../../test/fixtures/test-cluster.ts";

function set(
  { cluster, clock }: TestCluster,
  scope: "broker" | "cluster",
  entries: Record<string, string>,
): Promise<ConfigOutcome> {
  const change = (before: ReadonlyMap<string, string>) =>
    ({ ok: true, configs: new Map([...before, ...Object.entries(entries)]) }) as const;
  return settled(clock, cluster.setBrokerConfigs(scope, change, "perform"));
}

describe("a broker's dynamic configs", () => {
  it("are in force at once, before what was set at the start, and after a restart", async () => {
    const configs = new Map([["message.max.bytes", "2000"]]);
    const first = await openTestCluster({ configs });
    expect(first.cluster.settings.messageMaxBytes).toBe(2000);
    expect((await set(first, "cluster", { "message.max.bytes": "3000" })).kind).toBe("done");
    expect(first.cluster.settings.messageMaxBytes).toBe(3000);
    expect((await set(first, "broker", { "message.max.bytes": "4000" })).kind).toBe("done");
    expect(first.cluster.settings.messageMaxBytes).toBe(4000);
    const second = await openTestCluster({ seed: 2, memory: first.memory.reopen(), configs });
    expect(second.cluster.settings.messageMaxBytes).toBe(4000);
    expect([...second.cluster.layers.cluster]).toEqual([["message.max.bytes", "3000"]]);
  });

  it("change what topics inherit, and tell who listens", async () => {
    const test = await openTestCluster();
    await createTopic(test, "t");
    const topic = test.cluster.topics.byName("t");
    if (topic === undefined) throw new Error("not made");
    const before = test.cluster.topicSettings(topic);
    expect(test.cluster.topicSettings(topic)).toBe(before);
    const heard: number[] = [];
    const stop = test.cluster.onConfigChange(() => {
      heard.push(test.cluster.topicSettings(topic).retentionMs);
    });
    await set(test, "cluster", { "log.retention.ms": "5" });
    stop();
    await set(test, "cluster", { "log.retention.ms": "6" });
    expect(heard).toEqual([5]);
    expect(test.cluster.topicSettings(topic).retentionMs).toBe(6);
    expect(before.retentionMs).toBe(604_800_000);
  });

  it("are bounded together as JSON has them, values and names that nobody knows alike", async () => {
    const test = await openTestCluster();
    const escaped = "\u0001".repeat(configCharactersMax / 6 + 1);
    const message = `the configs of a broker may have at most ${configCharactersMax} characters`;
    for (const entries of [{ [escaped]: "text" }, { "plug.in": escaped }]) {
      expect(await set(test, "broker", entries)).toMatchObject({ kind: "refused", message });
    }
    expect(await set(test, "broker", { "plug.in": escaped.slice(10) })).toEqual({ kind: "done" });
  });

  it("are refused when they cannot change, are not valid, or contradict others", async () => {
    const test = await openTestCluster();
    expect(await set(test, "broker", { "num.partitions": "5" })).toEqual({
      kind: "refused",
      reason: "invalidRequest",
      message: "Cannot update these configs dynamically: [num.partitions]",
    });
    expect(await set(test, "broker", { "max.connections": "-1" })).toMatchObject({
      message: "Invalid value -1 for configuration max.connections: Value must be at least 0",
    });
    const bad = { "max.connections.per.ip.overrides": "nonsense" };
    expect((await set(test, "broker", bad)).kind).toBe("refused");
    const huge = { "plugin.key": "x".repeat(70_000) };
    expect((await set(test, "broker", huge)).kind).toBe("refused");
    expect(test.cluster.layers.broker.size).toBe(0);
  });

  it("say nothing of who may log in, neither now nor after a restart", async () => {
    const jaas = "listener.name.sasl_plaintext.plain.sasl.jaas.config";
    const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_me="x";';
    const configs = new Map([["listeners", "SASL_PLAINTEXT://:9092"]]);
    const test = await openTestCluster({ configs });
    for (const scope of ["broker", "cluster"] as const) {
      expect(await set(test, scope, { [jaas]: login })).toMatchObject({
        kind: "refused",
        message: `Cannot update these configs dynamically: [${jaas}]`,
      });
    }
    // As one was stored when it was not refused.
    const value = { configs: { [jaas]: login, "super.users": "User:me" } };
    await settled(
      test.clock,
      test.memory.transact([{ kind: "put", key: keys.clusterConfigs, value }]),
    );
    const again = await openTestCluster({ seed: 2, memory: test.memory.reopen(), configs });
    expect(again.cluster.layers.cluster.get(jaas)).toBe(login);
    expect(again.cluster.settings.security[0]?.sasl?.staticUsers.size).toBe(0);
    expect(again.cluster.settings.superUsers).toBe(undefined);
    expect((await set(again, "cluster", { "log.retention.ms": "5" })).kind).toBe("refused");
  });

  it("keep what two brokers set for all at the same time", async () => {
    const one = await openTestCluster();
    const two = await openTestCluster({ seed: 2, memory: one.memory });
    await set(one, "cluster", { "log.retention.ms": "5" });
    await set(two, "cluster", { "message.max.bytes": "6000" });
    expect(Object.fromEntries(two.cluster.layers.cluster)).toEqual({
      "log.retention.ms": "5",
      "message.max.bytes": "6000",
    });
  });

  it("are set once when the reply is lost, and followed up when nothing answers", async () => {
    const test = await openTestCluster();
    test.store.plan("replyLost");
    expect((await set(test, "broker", { "log.retention.ms": "5" })).kind).toBe("done");
    test.store.plan("replyLost");
    test.store.rates = { perThousand: { throttled: 1000 } };
    expect((await set(test, "broker", { "log.retention.ms": "6" })).kind).toBe("unavailable");
    test.store.rates = { perThousand: {} };
    test.clock.advance(2000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(test.cluster.layers.broker.get("log.retention.ms")).toBe("6");
  });
});
