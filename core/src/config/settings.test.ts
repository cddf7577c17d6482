import { describe, expect, it } from "vitest";
import { parseSettings } from "./settings.ts";

const parse = (entries: Record<string, string>): ReturnType<typeof parseSettings> =>
  parseSettings(new Map(Object.entries(entries)));

describe("the broker's settings", () => {
  it("are Kafka's defaults where nothing is set", () => {
    const { settings, unknown, ignored, invalid } = parse({});
    expect([unknown, ignored, invalid]).toEqual([[], [], []]);
    expect(settings).toMatchObject({
      nodeId: 1,
      listeners: ["PLAINTEXT://:9092"],
      numPartitions: 1,
      autoCreateTopicsEnable: true,
      messageMaxBytes: 1_048_588,
      groupMinSessionTimeoutMs: 6000,
      groupMaxSessionTimeoutMs: 1_800_000,
      offsetMetadataMaxBytes: 4096,
      durability: "local",
      slots: 1024,
    });
  });

  it("take values, and tell unknown keys from Kafka's keys without meaning here", () => {
    const parsed = parse({
      "node.id": " 7 ",
      "log.dirs": "/data",
      "millrace.durability": "journal",
      "max.connections.per.ip.overrides": "localhost:5, ::1:7",
      "no.such.key": "1",
      "controller.quorum.voters": "1@localhost:9093",
      "ssl.cipher.suites": "x",
    });
    expect(parsed.invalid).toEqual([]);
    expect(parsed.unknown).toEqual(["no.such.key"]);
    expect(parsed.ignored).toEqual(["controller.quorum.voters", "ssl.cipher.suites"]);
    expect(parsed.settings).toMatchObject({ nodeId: 7, logDir: "/data", durability: "journal" });
    const overrides = [...parsed.settings.maxConnectionsPerIpOverrides];
    expect(overrides).toEqual([
      ["localhost", 5],
      ["::1", 7],
    ]);
    // The delay of a broker that is alone is among them.
    expect([...parsed.known.keys()]).toHaveLength(5);
  });

  it("let a group's first rebalance wait where a broker has company, or where it is asked to", () => {
    const key = "group.initial.rebalance.delay.ms";
    const cluster = { "millrace.metadata.store": "unix:/s", "millrace.object.store": "file:/o" };
    const delayMs = (entries: Record<string, string>): number =>
      parse(entries).settings.groupInitialRebalanceDelayMs;
    expect(delayMs({})).toBe(0);
    expect(delayMs(cluster)).toBe(3_000);
    expect([delayMs({ [key]: "500" }), delayMs({ ...cluster, [key]: "500" })]).toEqual([500, 500]);
  });

  it("keep the default of a value that is not valid, and say why", () => {
    const { settings, invalid } = parse({ "num.partitions": "0", "fetch.max.bytes": "lots" });
    expect(settings.numPartitions).toBe(1);
    expect(invalid).toEqual([
      "Invalid value 0 for configuration num.partitions: Value must be at least 1",
      "Invalid value lots for configuration fetch.max.bytes: Not a number of type INT",
    ]);
  });

  it.each([
    [{ "node.id": "1", "broker.id": "2" }, "node.id and broker.id differ"],
    [{ "broker.id": "-1" }, "node.id must be 0 or more"],
    [{ listeners: "" }, "listeners must name at least one listener"],
    [
      { "log.flush.interval.ms": "-1" },
      "Invalid value -1 for configuration flush.ms: Value must be at least 0",
    ],
    [{ "log.dirs": "/a,/b" }, "log.dirs must name one directory"],
    [
      { "group.min.session.timeout.ms": "2", "group.max.session.timeout.ms": "1" },
      "group.min.session.timeout.ms is above group.max.session.timeout.ms",
    ],
    [
      { "max.connections.per.ip.overrides": "host" },
      "max.connections.per.ip.overrides is not a list of host:count pairs: host",
    ],
  ])("must not contradict each other: %j", (entries, message) => {
    expect(parse(entries as Record<string, string>).invalid).toEqual([message]);
  });

  it("take broker.id for node.id when only it is given", () => {
    expect(parse({ "broker.id": "5" }).settings.nodeId).toBe(5);
  });
});
