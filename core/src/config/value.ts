import { assert } from "../assert.ts";
import type { ConfigDefinition, ConfigType, Validator } from "./definition.ts";

/** A parsed value. A `long` beyond 2^53 - 1 becomes 2^53 - 1: both mean "never" or "no bound". */
export type ConfigValue = boolean | number | string | readonly string[] | null;

/** `text` is the canonical form that tools are shown; `message` is Kafka's wording of the fault. */
export type ParsedConfig =
  | { readonly ok: true; readonly value: ConfigValue; readonly text: string }
  | { readonly ok: false; readonly message: string };

/** Parses and checks one value as Kafka does: surrounding blanks do not count. */
export function parseConfig(definition: ConfigDefinition, raw: string): ParsedConfig {
  const parsed = parseType(definition.type, raw);
  if (!parsed.ok) return invalid(definition, raw, parsed.message);
  if (Array.isArray(parsed.value) && parsed.value.includes("")) {
    return { ok: false, message: `Configuration '${definition.name}' values must not be empty.` };
  }
  const fault = faultOf(parsed.value, definition.validator);
  if (fault !== undefined) return invalid(definition, fault.shown ?? parsed.text, fault.message);
  return parsed;
}

/** The definition's default, parsed; `null` when it has none. */
export function defaultOf(definition: ConfigDefinition): ConfigValue {
  if (definition.defaultValue === null) return null;
  const parsed = parseConfig(definition, definition.defaultValue);
  assert(parsed.ok, `the default of ${definition.name} is not valid`);
  return parsed.value;
}

function invalid(definition: ConfigDefinition, shown: string, message: string): ParsedConfig {
  const text = `Invalid value ${shown} for configuration ${definition.name}: ${message}`;
  return { ok: false, message: text };
}

function parseType(type: ConfigType, raw: string): ParsedConfig {
  const text = raw.trim();
  switch (type) {
    case "boolean":
      return parseBoolean(text);
    case "string":
    case "class":
      return { ok: true, value: text, text };
    case "password":
      return { ok: true, value: raw, text: raw };
    case "int":
      return parseInteger(text, "INT", 31n);
    case "short":
      return parseInteger(text, "SHORT", 15n);
    case "long":
      return parseInteger(text, "LONG", 63n);
    case "double":
      return parseDouble(text);
    case "list": {
      const value = text === "" ? [] : text.split(",").map((entry) => entry.trim());
      return { ok: true, value, text: value.join(",") };
    }
  }
}

function parseBoolean(text: string): ParsedConfig {
  const value = text.toLowerCase();
  if (value === "true" || value === "false") {
    return { ok: true, value: value === "true", text: value };
  }
  return { ok: false, message: "Expected value to be either true or false" };
}

function parseInteger(text: string, type: string, bits: bigint): ParsedConfig {
  const fault = { ok: false, message: `Not a number of type ${type}` } as const;
  if (text.length > 64 || !/^[+-]?[0-9]+$/u.test(text)) return fault;
  const exact = BigInt(text.startsWith("+") ? text.slice(1) : text);
  if (exact < -(1n << bits) || exact >= 1n << bits) return fault;
  const bound = BigInt(Number.MAX_SAFE_INTEGER);
  const value = exact > bound ? bound : exact < -bound ? -bound : exact;
  return { ok: true, value: Number(value), text: exact.toString() };
}

function parseDouble(text: string): ParsedConfig {
  if (!/^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$/u.test(text)) {
    return { ok: false, message: "Not a number of type DOUBLE" };
  }
  const value = Number(text);
  return { ok: true, value, text: doubleText(value) };
}

/** A double as Java prints it: always with a fraction, `E` outside 10^-3 to 10^7. */
function doubleText(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e7)) return withFraction(String(value));
  const [digits = "", exponent = "0"] = value.toExponential().split("e");
  return `${withFraction(digits)}E${Number(exponent)}`;
}

function withFraction(digits: string): string {
  return digits.includes(".") ? digits : `${digits}.0`;
}

interface Fault {
  readonly message: string;
  /** What to show as the invalid value when it is not the whole of it. */
  readonly shown?: string;
}

function faultOf(value: ConfigValue, validator: Validator | undefined): Fault | undefined {
  if (validator === undefined || value === null) return undefined;
  switch (validator.is) {
    case "atLeast":
      return rangeFault(value, validator.min, Number.POSITIVE_INFINITY);
    case "between":
      return rangeFault(value, validator.min, validator.max);
    case "betweenOr":
      return value === validator.or ? undefined : betweenOrFault(value, validator);
    case "oneOf":
      return oneOfFault(value, validator);
    case "someOf":
      return someOfFault(value, validator.values);
    case "throttledReplicas":
      return throttledFault(value);
  }
}

function rangeFault(value: ConfigValue, min: number, max: number): Fault | undefined {
  if (Number(value) < min) return { message: `Value must be at least ${min}` };
  if (Number(value) > max) return { message: `Value must be no more than ${max}` };
  return undefined;
}

function betweenOrFault(
  value: ConfigValue,
  bounds: { readonly min: number; readonly max: number; readonly or: number },
): Fault | undefined {
  const number = Number(value);
  if (number >= bounds.min && number <= bounds.max) return undefined;
  return {
    message: `Value must be between ${bounds.min} and ${bounds.max} or equal to ${bounds.or}`,
  };
}

function oneOfFault(
  value: ConfigValue,
  allowed: { readonly values: readonly string[]; readonly anyCase: boolean },
): Fault | undefined {
  const text = allowed.anyCase ? String(value).toUpperCase() : String(value);
  if (allowed.values.includes(text)) return undefined;
  const prefix = allowed.anyCase
    ? "String must be one of (case insensitive)"
    : "String must be one of";
  return { message: `${prefix}: ${allowed.values.join(", ")}` };
}

function someOfFault(value: ConfigValue, allowed: readonly string[]): Fault | undefined {
  assert(Array.isArray(value), "someOf is for lists");
  const stranger = value.find((entry) => !allowed.includes(entry));
  if (stranger === undefined) return undefined;
  return { message: `String must be one of: ${allowed.join(", ")}`, shown: stranger };
}

function throttledFault(value: ConfigValue): Fault | undefined {
  assert(Array.isArray(value), "throttledReplicas is for lists");
  if (value.length === 1 && value[0] === "*") return undefined;
  if (value.every((entry) => /^[0-9]+:[0-9]+$/u.test(entry))) return undefined;
  return {
    message: "Value must be '*' or a list of replicas of the form [partitionId]:[brokerId]",
    shown: `[${value.join(", ")}]`,
  };
}
