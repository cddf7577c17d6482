import { brokerConfigs } from "./broker-configs.ts";
import { type ConfigValue, defaultOf, parseConfig } from "./value.ts";

/** Reads one effective value after another; entries must have been checked before. */
export class BrokerValues {
  readonly #entries: ReadonlyMap<string, string>;

  constructor(entries: ReadonlyMap<string, string>) {
    this.#entries = entries;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** As it was set, under any name. */
  own(name: string): string | undefined {
    return this.#entries.get(name);
  }

  number(name: string): number {
    const value = this.#value(name);
    if (typeof value !== "number") throw new TypeError(`not a number: ${name}`);
    return value;
  }

  flag(name: string): boolean {
    const value = this.#value(name);
    if (typeof value !== "boolean") throw new TypeError(`not a boolean: ${name}`);
    return value;
  }

  text(name: string): string {
    const value = this.#value(name);
    if (typeof value !== "string") throw new TypeError(`not a string: ${name}`);
    return value;
  }

  optionalText(name: string): string | undefined {
    const value = this.#value(name);
    return typeof value === "string" && value !== "" ? value : undefined;
  }

  list(name: string): readonly string[] {
    const value = this.#value(name);
    if (value === null) return [];
    if (!Array.isArray(value)) throw new TypeError(`not a list: ${name}`);
    return value;
  }

  #value(name: string): ConfigValue {
    const definition = brokerConfigs.get(name);
    if (definition === undefined) throw new TypeError(`not a broker config: ${name}`);
    const raw = this.#entries.get(name);
    if (raw === undefined) return defaultOf(definition);
    const parsed = parseConfig(definition, raw);
    return parsed.ok ? parsed.value : defaultOf(definition);
  }
}
