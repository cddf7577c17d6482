import { assertAcyclic } from "./acyclic.ts";
import { contains, parseVersions, type VersionRange, versionsOf } from "./versions.ts";

/** A field as a schema file states it. */
interface RawField {
  readonly name: string;
  readonly type: string;
  readonly versions: string;
  readonly nullableVersions?: string;
  readonly taggedVersions?: string;
  readonly tag?: number;
  readonly flexibleVersions?: string;
  readonly default?: string;
  readonly ignorable?: boolean;
  /** All 64 bits matter: the field is a bigint. */
  readonly wide?: boolean;
  /** Values past 2^53 - 1 are read as that: no number of this kind is so large. */
  readonly clamped?: boolean;
  /** An encoder takes elements of the array also as bytes that were encoded before. */
  readonly encodable?: boolean;
  readonly fields?: readonly RawField[];
}

interface RawMessage {
  readonly name: string;
  readonly validVersions: string;
  readonly flexibleVersions: string;
  readonly commonStructs?: readonly {
    readonly name: string;
    readonly fields: readonly RawField[];
  }[];
  readonly fields: readonly RawField[];
}

/** A schema file: an API with its request and response, or messages that belong to none. */
interface RawFile {
  readonly apiKey?: number;
  readonly name?: string;
  readonly latestVersionUnstable?: boolean;
  readonly messages: readonly RawMessage[];
}

export const scalarTypes = [
  "bool",
  "int8",
  "int16",
  "uint16",
  "int32",
  "int64",
  "float64",
  "string",
  "uuid",
  "bytes",
  "records",
] as const;
export type ScalarType = (typeof scalarTypes)[number];

export type FieldType =
  | { readonly kind: "scalar"; readonly scalar: ScalarType }
  | { readonly kind: "struct"; readonly struct: string };

export interface Field {
  /** As Kafka spells it. */
  readonly name: string;
  /** In camel case, as the generated types spell it. */
  readonly property: string;
  readonly type: FieldType;
  readonly isArray: boolean;
  readonly wide: boolean;
  readonly clamped: boolean;
  readonly encodable: boolean;
  readonly versions: VersionRange | null;
  readonly nullableVersions: VersionRange | null;
  readonly taggedVersions: VersionRange | null;
  readonly tag: number | null;
  /** Versions in which this field alone is flexible or not, whatever its message is; null for "as the message". */
  readonly flexibleVersions: VersionRange | "never" | null;
  /** As stated; null where the schema leaves it to the type. */
  readonly default: string | null;
  readonly ignorable: boolean;
}

export interface Struct {
  readonly name: string;
  readonly fields: readonly Field[];
}

export interface Message {
  readonly name: string;
  readonly versions: readonly number[];
  readonly flexibleVersions: VersionRange | null;
  /** The message's own fields. */
  readonly root: Struct;
  /** The structs inside, those that others need first. */
  readonly structs: readonly Struct[];
}

export interface SchemaFile {
  /** Without folder and ending: `18-api-versions`. */
  readonly stem: string;
  readonly api: {
    readonly key: number;
    readonly name: string;
    readonly latestVersionUnstable: boolean;
  } | null;
  readonly messages: readonly Message[];
}

/** Reads one schema file. Throws if it says something that the generator does not know. */
export function parseSchema(stem: string, text: string): SchemaFile {
  const raw = JSON.parse(text) as RawFile;
  const messages = raw.messages.map(parseMessage);
  if (raw.apiKey === undefined) return { stem, api: null, messages };
  if (messages.length !== 2) throw new Error(`${stem}: an API has one request and one response`);
  const latestVersionUnstable = raw.latestVersionUnstable === true;
  return { stem, api: { key: raw.apiKey, name: raw.name ?? "", latestVersionUnstable }, messages };
}

function parseMessage(raw: RawMessage): Message {
  const valid = parseVersions(raw.validVersions);
  if (valid === null || valid.last === Number.POSITIVE_INFINITY) {
    throw new Error(`${raw.name}: no closed range of versions: ${raw.validVersions}`);
  }
  const structs = new Map<string, Struct>();
  for (const common of raw.commonStructs ?? []) collectStruct(common.name, common.fields, structs);
  const root = { name: raw.name, fields: raw.fields.map((field) => parseField(field, structs)) };
  const message: Message = {
    name: raw.name,
    versions: versionsOf(valid),
    flexibleVersions: parseVersions(raw.flexibleVersions),
    root,
    structs: assertAcyclic(root, structs),
  };
  for (const struct of [root, ...message.structs]) checkStruct(message, struct);
  return message;
}

function collectStruct(
  name: string,
  fields: readonly RawField[],
  structs: Map<string, Struct>,
): void {
  if (structs.has(name)) throw new Error(`two structs named ${name}`);
  structs.set(name, { name, fields: fields.map((field) => parseField(field, structs)) });
}

const fieldKeys: ReadonlySet<string> = new Set(
  [
    "name",
    "type",
    "versions",
    "nullableVersions",
    "taggedVersions",
    "tag",
    "flexibleVersions",
  ].concat(["default", "ignorable", "wide", "clamped", "encodable", "fields"]),
);

function parseField(raw: RawField, structs: Map<string, Struct>): Field {
  const unknown = Object.keys(raw).filter((key) => !fieldKeys.has(key));
  if (unknown.length > 0) throw new Error(`${raw.name}: unknown keys: ${unknown.join(", ")}`);
  const isArray = raw.type.startsWith("[]");
  const type = parseType(isArray ? raw.type.slice(2) : raw.type);
  if (raw.fields !== undefined && type.kind === "struct") {
    collectStruct(type.struct, raw.fields, structs);
  }
  return {
    name: raw.name,
    property: raw.name.charAt(0).toLowerCase() + raw.name.slice(1),
    type,
    isArray,
    wide: raw.wide === true,
    clamped: raw.clamped === true,
    encodable: raw.encodable === true,
    versions: parseVersions(raw.versions),
    nullableVersions: parseVersions(raw.nullableVersions ?? "none"),
    taggedVersions: parseVersions(raw.taggedVersions ?? "none"),
    tag: raw.tag ?? null,
    flexibleVersions:
      raw.flexibleVersions === undefined ? null : (parseVersions(raw.flexibleVersions) ?? "never"),
    default: raw.default ?? null,
    ignorable: raw.ignorable === true,
  };
}

function parseType(text: string): FieldType {
  const scalar = scalarTypes.find((known) => known === text);
  if (scalar !== undefined) return { kind: "scalar", scalar };
  if (!/^[A-Z]/.test(text)) throw new Error(`unknown type ${text}`);
  return { kind: "struct", struct: text };
}

function checkStruct(message: Message, struct: Struct): void {
  for (const field of struct.fields) {
    const where = `${message.name}.${struct.name}.${field.name}`;
    if ((field.tag === null) !== (field.taggedVersions === null)) {
      throw new Error(`${where}: a tag needs taggedVersions, and the other way round`);
    }
    if (field.encodable) checkEncodable(field, where);
    const tagged = message.versions.filter((version) => contains(field.taggedVersions, version));
    if (tagged.length > 0) checkTagged(message, field, { where, tagged });
  }
}

/** An attached piece has no place in a tagged field, and null has no count. */
function checkEncodable(field: Field, where: string): void {
  const isPlain = field.taggedVersions === null && field.nullableVersions === null;
  if (!field.isArray || field.type.kind !== "struct" || !isPlain) {
    throw new Error(`${where}: encodable is for arrays of structs that are there`);
  }
}

function checkTagged(
  message: Message,
  field: Field,
  { where, tagged }: { readonly where: string; readonly tagged: readonly number[] },
): void {
  if (!tagged.every((version) => isFlexible(message, field, version))) {
    throw new Error(`${where}: tagged where it is not flexible`);
  }
  if (field.type.kind === "struct" && !field.isArray && field.nullableVersions !== null) {
    throw new Error(`${where}: a tagged struct that may be null`);
  }
  // An attached piece has no place inside of a tagged field, whose size is put in afterwards.
  if (field.type.kind === "scalar" && field.type.scalar === "records") {
    throw new Error(`${where}: tagged records`);
  }
}

/** Whether `field` takes its compact form in `version`. */
export function isFlexible(message: Message, field: Field, version: number): boolean {
  if (field.flexibleVersions === "never") return false;
  return contains(field.flexibleVersions ?? message.flexibleVersions, version);
}
