import { brokerConfigs } from "./broker-configs.ts";
import type { ConfigDefinition } from "./definition.ts";
import { topicDefaultFault } from "./topic-defaults.ts";
import { parseConfig } from "./value.ts";

/** New configs made from present ones, or why there are none, in Kafka's words. */
export type ConfigChange =
  | { readonly ok: true; readonly configs: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly message: string };

/** One operation of IncrementalAlterConfigs (KIP-339). */
export interface ConfigOperation {
  readonly kind: "set" | "delete" | "append" | "subtract";
  readonly name: string;
  /** No meaning for `delete`. */
  readonly value: string;
}

/**
 * Applies the operations, each to a key of its own. `append` and `subtract` change the list that is
 * set, or else the key's default. Values are not checked.
 */
export function applyOperations(
  before: ReadonlyMap<string, string>,
  operations: readonly ConfigOperation[],
  definitions: ReadonlyMap<string, ConfigDefinition>,
): ConfigChange {
  const configs = new Map(before);
  for (const { kind, name, value } of operations) {
    if (kind === "set") configs.set(name, value);
    else if (kind === "delete") configs.delete(name);
    else {
      const definition = definitions.get(name);
      if (definition?.type !== "list") {
        const verb = kind.toUpperCase();
        return { ok: false, message: `Can't ${verb} to key ${name} because its type is not LIST.` };
      }
      const present = entriesOf(configs.get(name) ?? definition.defaultValue ?? "");
      const given = entriesOf(value);
      const after = kind === "append" ? withAdded(present, given) : without(present, given);
      // A list that did not change is not set: it still follows its default.
      if (after.length !== present.length) configs.set(name, after.join(","));
    }
  }
  return { ok: true, configs };
}

function entriesOf(list: string): readonly string[] {
  return list
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

function withAdded(present: readonly string[], added: readonly string[]): readonly string[] {
  return [...new Set([...present, ...added])];
}

function without(present: readonly string[], gone: readonly string[]): readonly string[] {
  const taken = new Set(gone);
  return present.filter((entry) => !taken.has(entry));
}

/**
 * Whether a broker takes the key from its dynamic configs. Never a listener's own value: whoever may
 * alter configs could let itself in by one, as a user of its choice.
 */
export function isDynamicConfig(name: string): boolean {
  return updateOf(name) !== "readOnly";
}

function updateOf(name: string): string | undefined {
  return name.startsWith("listener.name.") ? "readOnly" : brokerConfigs.get(name)?.update;
}

/**
 * Why these may not be a broker's dynamic configs (KIP-226), in Kafka's words. Keys that nobody
 * knows are accepted as Kafka does, which leaves them to plug-ins.
 */
export function dynamicConfigFault(
  configs: ReadonlyMap<string, string>,
  scope: "broker" | "cluster",
): string | undefined {
  const named = (update: string): string =>
    [...configs.keys()].filter((name) => updateOf(name) === update).join(", ");
  const fixed = named("readOnly");
  if (fixed !== "") return `Cannot update these configs dynamically: [${fixed}]`;
  const single = scope === "cluster" ? named("perBroker") : "";
  if (single !== "") {
    const where = "at default cluster level, broker id must be specified";
    return `Cannot update these configs ${where}: [${single}]`;
  }
  for (const [name, value] of configs) {
    const definition = brokerConfigs.get(name);
    const parsed = definition === undefined ? undefined : parseConfig(definition, value);
    if (parsed?.ok === false) return parsed.message;
    const topicFault = parsed === undefined ? undefined : topicDefaultFault(name, parsed.text);
    if (topicFault !== undefined) return topicFault;
  }
  return undefined;
}
