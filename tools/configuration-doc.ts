/**
 * The tables of docs/configuration.md, made from core/src/config: `node tools/configuration-doc.ts`
 * writes them into the file, between two marks; the formatter then pads them. A gate compares.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  brokerConfigs,
  type ConfigDefinition,
  ignoredFamilies,
  type TopicConfigDefinition,
  topicConfigs,
} from "@millrace/core";

export interface ConfigKeys {
  readonly topic: ReadonlyMap<string, TopicConfigDefinition>;
  readonly broker: ReadonlyMap<string, ConfigDefinition>;
  readonly ignoredFamilies: readonly string[];
}

export const knownKeys: ConfigKeys = {
  topic: topicConfigs,
  broker: brokerConfigs,
  ignoredFamilies,
};

export const docPath = "docs/configuration.md";
const begin = "<!-- made by tools/configuration-doc.ts: begin -->";
const end = "<!-- made by tools/configuration-doc.ts: end -->";
const acceptedOnly = "Accepted as in Kafka; ";

/** Whether the key is reported and checked, and changes nothing. */
export function isAcceptedOnly({ documentation }: ConfigDefinition): boolean {
  return documentation.startsWith(acceptedOnly);
}

/** The file's text with the tables of these keys in the place of those it has. */
export function withTables(text: string, keys: ConfigKeys): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new RangeError(`${docPath} has no marks for its tables`);
  const tables = tablesOf(keys).join("\n");
  return `${text.slice(0, from + begin.length)}\n\n${tables}\n${text.slice(to)}`;
}

function tablesOf(keys: ConfigKeys): readonly string[] {
  const topic = sorted(keys.topic);
  const broker = sorted(keys.broker);
  const families = keys.ignoredFamilies.map((family) => `\`${family}\``).join(", ");
  return [
    "## Topic keys that have an effect",
    "",
    "A change is in force on partitions in use when its reply leaves.",
    "",
    ...table(
      ["key", "type", "default", "the broker's key", "effect"],
      topic
        .filter((key) => !isAcceptedOnly(key))
        .map((key) => [
          code(key.name),
          key.type,
          defaultOf(key),
          key.synonyms.map(({ name }) => code(name)).join(", "),
          key.documentation,
        ]),
    ),
    "## Topic keys that are only accepted",
    "",
    "They are checked, kept and reported as in Kafka.",
    "",
    ...acceptedTable(topic),
    "## Broker keys that have an effect",
    "",
    "`changes`: only by a start; for one broker while it runs; or for one or all brokers while they run.",
    "",
    ...table(
      ["key", "type", "default", "changes", "effect"],
      broker
        .filter((key) => !isAcceptedOnly(key))
        .map((key) => [
          code(key.name),
          key.type,
          defaultOf(key),
          changesOf(key),
          key.documentation,
        ]),
    ),
    "## Broker keys that are only accepted",
    "",
    ...acceptedTable(broker),
    "## Families of broker keys that are ignored",
    "",
    "Keys that begin so and stand in no table above (for one listener: after `listener.name.{name}.`)",
    "configure what is not there. They are neither checked nor reported, only named in the log, and do",
    "no harm in a file that was written for Kafka:",
    `${families}.`,
    "",
  ];
}

function acceptedTable(keys: readonly ConfigDefinition[]): readonly string[] {
  return table(
    ["key", "default", "why it has no effect"],
    keys
      .filter(isAcceptedOnly)
      .map((key) => [code(key.name), defaultOf(key), key.documentation.slice(acceptedOnly.length)]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line), ""];
}

function sorted<Definition extends ConfigDefinition>(
  keys: ReadonlyMap<string, Definition>,
): readonly Definition[] {
  return [...keys.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function code(text: string): string {
  return `\`${text}\``;
}

function defaultOf({ defaultValue }: ConfigDefinition): string {
  if (defaultValue === null) return "none";
  return defaultValue === "" ? "empty" : code(defaultValue);
}

function changesOf({ update }: ConfigDefinition): string {
  switch (update) {
    case "readOnly":
      return "start";
    case "perBroker":
      return "broker";
    case "clusterWide":
      return "all";
  }
}

if (import.meta.main) {
  const path = join(import.meta.dirname, "..", docPath);
  writeFileSync(path, withTables(readFileSync(path, "utf8"), knownKeys));
}
