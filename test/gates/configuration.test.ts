/** docs/configuration.md says what core/src/config has, and every effect that it names is tested. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  type ConfigKeys,
  docPath,
  isAcceptedOnly,
  knownKeys,
  withTables,
} from "../../tools/configuration-doc.ts";
import { configEffects, type EffectTest } from "./config-effects.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string): string | undefined =>
  existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined;

/** One sentence for each fault; none when every topic key that has an effect has its test. */
function untestedEffects(
  topic: ConfigKeys["topic"],
  table: Readonly<Record<string, EffectTest>>,
): readonly string[] {
  const faults: string[] = [];
  for (const [name, definition] of topic) {
    const line = table[name];
    if (isAcceptedOnly(definition)) {
      if (line !== undefined) faults.push(`${name} is only accepted, and a test is named for it`);
      continue;
    }
    if (line === undefined) faults.push(`no test is named for ${name}`);
    else if (read(line.file)?.includes(`"${line.title}"`) !== true) {
      faults.push(`${name}: ${line.file} has no test "${line.title}"`);
    }
  }
  for (const name of Object.keys(table)) if (!topic.has(name)) faults.push(`no such key: ${name}`);
  return faults;
}

/** The formatter pads the columns of tables; how wide they are says nothing. */
function unpadded(text: string): string {
  return text.replaceAll(/ {2,}/g, " ").replaceAll(/-{3,}/g, "---");
}

test("the tables are those of the keys that there are", () => {
  const text = read(docPath) ?? "";
  expect(knownKeys.topic.size).toBeGreaterThan(30);
  expect(knownKeys.broker.size).toBeGreaterThan(100);
  const isMade = unpadded(text) === unpadded(withTables(text, knownKeys));
  expect(isMade, "run: node tools/configuration-doc.ts").toBe(true);
});

test("every topic key that has an effect names a test that shows it", () => {
  expect(untestedEffects(knownKeys.topic, configEffects)).toEqual([]);
});

const retention = knownKeys.topic.get("retention.ms");
if (retention === undefined) throw new Error("retention.ms is gone");
const fresh = { ...retention, name: "fresh.key" };
const withFresh: ConfigKeys = {
  ...knownKeys,
  topic: new Map([...knownKeys.topic, [fresh.name, fresh]]),
};

test("a new key without a line is red, in the page and in the table of tests", () => {
  const text = read(docPath) ?? "";
  expect(unpadded(withTables(text, withFresh))).not.toBe(unpadded(text));
  expect(untestedEffects(withFresh.topic, configEffects)).toContain(
    "no test is named for fresh.key",
  );
});

test("a test that is gone, and a line for a key that is gone or has no effect, are red", () => {
  const gone = { file: "core/src/absent.test.ts", title: "gone" };
  const topic = new Map([["retention.ms", retention]]);
  expect(untestedEffects(topic, { "retention.ms": gone })).toEqual([
    'retention.ms: core/src/absent.test.ts has no test "gone"',
  ]);
  const accepted = { ...retention, documentation: "Accepted as in Kafka; nothing happens." };
  expect(
    untestedEffects(new Map([["retention.ms", accepted]]), { "retention.ms": gone, "x.y": gone }),
  ).toEqual(["retention.ms is only accepted, and a test is named for it", "no such key: x.y"]);
});
