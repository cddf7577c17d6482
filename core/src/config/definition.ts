/**
 * What a configuration key is: its type, its default, which values it takes, and one sentence for
 * tools that show it. Names, types, defaults and ranges are Apache Kafka 4.3.1's; keys of our own
 * begin with `millrace.`.
 */
export type ConfigType =
  | "boolean"
  | "string"
  | "int"
  | "short"
  | "long"
  | "double"
  | "list"
  | "class"
  | "password";

/** Whether and how a broker's key changes while it runs (KIP-226). A topic's key always does. */
export type ConfigUpdate = "readOnly" | "perBroker" | "clusterWide";

export type Validator =
  | { readonly is: "atLeast"; readonly min: number }
  | { readonly is: "between"; readonly min: number; readonly max: number }
  | { readonly is: "betweenOr"; readonly min: number; readonly max: number; readonly or: number }
  | { readonly is: "oneOf"; readonly values: readonly string[]; readonly anyCase: boolean }
  | { readonly is: "someOf"; readonly values: readonly string[] }
  | { readonly is: "throttledReplicas" };

export interface ConfigDefinition {
  readonly name: string;
  readonly type: ConfigType;
  /** As text, the way a tool shows it; `null` when the key has no default. */
  readonly defaultValue: string | null;
  readonly validator: Validator | undefined;
  readonly update: ConfigUpdate;
  readonly documentation: string;
}

/** A definition that still lacks its sentence. */
export interface Draft {
  /** The key may be changed while the broker runs, for one broker or for all. */
  dynamic(update: "perBroker" | "clusterWide"): Draft;
  says(documentation: string): ConfigDefinition;
}

type Undocumented = Omit<ConfigDefinition, "documentation">;

function draft(definition: Undocumented): Draft {
  return {
    dynamic: (update) => draft({ ...definition, update }),
    says: (documentation) => ({ ...definition, documentation }),
  };
}

/** Starts the definition of the key `name`; `null` means that it has no default. */
export function key(
  type: ConfigType,
  name: string,
  defaultValue: boolean | number | string | null,
  validator?: Validator,
): Draft {
  const text = defaultValue === null ? null : String(defaultValue);
  return draft({ name, type, defaultValue: text, validator, update: "readOnly" });
}

export const maxInt32 = 0x7fffffff;
/** The largest int64, which Kafka uses to say "never" or "no bound". */
export const maxInt64 = "9223372036854775807";

export function atLeast(min: number): Validator {
  return { is: "atLeast", min };
}

export function between(min: number, max: number): Validator {
  return { is: "between", min, max };
}

export function oneOf(...values: readonly string[]): Validator {
  return { is: "oneOf", values, anyCase: false };
}

export function oneOfAnyCase(...values: readonly string[]): Validator {
  return { is: "oneOf", values, anyCase: true };
}

export function someOf(...values: readonly string[]): Validator {
  return { is: "someOf", values };
}

export const compressionTypes: Validator = oneOf(
  "uncompressed",
  "zstd",
  "lz4",
  "snappy",
  "gzip",
  "producer",
);
export const gzipLevels: Validator = { is: "betweenOr", min: 1, max: 9, or: -1 };
export const lz4Levels: Validator = between(1, 17);
export const zstdLevels: Validator = between(-131072, 22);
export const cleanupPolicies: Validator = someOf("compact", "delete");
export const timestampTypes: Validator = oneOf("CreateTime", "LogAppendTime");
export const durabilities: Validator = oneOf("local", "journal");
export const recordValidations: Validator = oneOf("structure", "full");

/** A table of definitions by name, which must be unique. */
export function tableOf<Definition extends ConfigDefinition>(
  definitions: readonly Definition[],
): ReadonlyMap<string, Definition> {
  const table = new Map<string, Definition>();
  for (const definition of definitions) {
    if (table.has(definition.name)) throw new RangeError(`defined twice: ${definition.name}`);
    table.set(definition.name, definition);
  }
  return table;
}
