import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { brokerConfigs } from "./broker-configs.ts";
import { groupConfigs } from "./group-configs.ts";
import { topicConfigs } from "./topic-configs.ts";
import { type ConfigValue, defaultOf, parseConfig } from "./value.ts";

function parsed(name: string, raw: string): ConfigValue | string {
  const definition = topicConfigs.get(name) ?? brokerConfigs.get(name);
  if (definition === undefined) throw new Error(`no such key: ${name}`);
  const result = parseConfig(definition, raw);
  return result.ok ? result.text : result.message;
}

describe("a config's value", () => {
  it.each([
    ["retention.ms", " 8000 ", "8000"],
    ["retention.ms", "+5", "5"],
    ["retention.ms", "9223372036854775807", "9223372036854775807"],
    ["preallocate", "TRUE", "true"],
    ["cleanup.policy", "compact , delete", "compact,delete"],
    ["cleanup.policy", "", ""],
    ["min.cleanable.dirty.ratio", ".25", "0.25"],
    ["min.cleanable.dirty.ratio", "1", "1.0"],
    ["min.cleanable.dirty.ratio", "1e-4", "1.0E-4"],
    ["log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308", "1.7976931348623157E308"],
    ["compression.gzip.level", "-1", "-1"],
    ["leader.replication.throttled.replicas", "*", "*"],
    ["leader.replication.throttled.replicas", "0:1,1:1", "0:1,1:1"],
    ["group.consumer.migration.policy", "Upgrade", "Upgrade"],
  ])("of %s is shown for %j as %j", (name, raw, text) => {
    expect(parsed(name, raw)).toBe(text);
  });

  it.each([
    [
      "retention.ms",
      "abc",
      "Invalid value abc for configuration retention.ms: Not a number of type LONG",
    ],
    [
      "retention.ms",
      "",
      "Invalid value  for configuration retention.ms: Not a number of type LONG",
    ],
    [
      "retention.ms",
      "9223372036854775808",
      "Invalid value 9223372036854775808 for configuration retention.ms: Not a number of type LONG",
    ],
    [
      "retention.ms",
      "-5",
      "Invalid value -5 for configuration retention.ms: Value must be at least -1",
    ],
    [
      "segment.bytes",
      "99999999999",
      "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT",
    ],
    [
      "min.cleanable.dirty.ratio",
      "2",
      "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
    ],
    [
      "compression.gzip.level",
      "0",
      "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
    ],
    [
      "preallocate",
      "yes",
      "Invalid value yes for configuration preallocate: Expected value to be either true or false",
    ],
    [
      "cleanup.policy",
      "delete,foo",
      "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
    ],
    ["cleanup.policy", "compact,", "Configuration 'cleanup.policy' values must not be empty."],
    [
      "message.timestamp.type",
      "x",
      "Invalid value x for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime",
    ],
  ])("of %s is refused for %j in Kafka's words", (name, raw, message) => {
    expect(parsed(name, raw)).toBe(message);
  });

  it("is valid by default, for every key of every table", () => {
    const tables = [brokerConfigs, topicConfigs, groupConfigs];
    for (const definition of tables.flatMap((table) => [...table.values()])) {
      expect(() => defaultOf(definition), definition.name).not.toThrow();
      expect(definition.documentation, definition.name).toMatch(/\.$/);
      if (definition.defaultValue === null) continue;
      const shown = parseConfig(definition, definition.defaultValue);
      expect(shown.ok && shown.text, definition.name).toBe(definition.defaultValue);
    }
  });

  it("is parsed in a time that rises with its length alone", () => {
    const [blanks, digits] = [" ", "1"].map((one) => one.repeat(300_000));
    const begunMs = performance.now();
    for (const { name, ...definition } of topicConfigs.values()) {
      for (const raw of [
        `a${blanks}a`,
        `${digits}a`,
        `${digits}.${digits}a`,
        `-${digits}e${digits}a`,
      ]) {
        expect(parseConfig({ name, ...definition }, raw).ok, name).toBe(false);
      }
    }
    expect(performance.now() - begunMs).toBeLessThan(5_000);
    const policy = topicConfigs.get("cleanup.policy");
    expect(policy && parseConfig(policy, `compact${blanks},${blanks}delete`)).toMatchObject({
      text: "compact,delete",
    });
  });

  it("never throws, and keeps its canonical text when that is parsed again", () => {
    const definitions = fc.constantFrom(...topicConfigs.values(), ...brokerConfigs.values());
    const texts = fc.oneof(fc.string(), fc.integer().map(String), fc.double().map(String));
    fc.assert(
      fc.property(definitions, texts, (definition, raw) => {
        const once = parseConfig(definition, raw);
        if (!once.ok) return once.message !== "";
        const twice = parseConfig(definition, once.text);
        return twice.ok && twice.text === once.text;
      }),
      { numRuns: 500 },
    );
  });
});
