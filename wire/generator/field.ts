import type { Naming } from "./naming.ts";
import { type Field, isFlexible, type Message, type Struct } from "./schema.ts";
import { contains } from "./versions.ts";

/** What emitting a struct needs to know. */
export interface StructContext {
  readonly message: Message;
  readonly struct: Struct;
  /** The versions in which the struct occurs. */
  readonly versions: readonly number[];
  readonly naming: Naming;
}

/** How a field appears in one version. */
export type Presence = "absent" | "plain" | "tagged";

export function presence(field: Field, version: number): Presence {
  if (!contains(field.versions, version)) return "absent";
  return contains(field.taggedVersions, version) ? "tagged" : "plain";
}

/** Whether the field's type admits null in any version. */
export function isNullable(field: Field): boolean {
  return field.nullableVersions !== null || defaultsToNull(field);
}

export function defaultsToNull(field: Field): boolean {
  if (field.default !== null) return field.default === "null";
  const { type } = field;
  return type.kind === "scalar" && type.scalar === "records" && field.nullableVersions !== null;
}

/** Whether a caller may leave the field out: the schema says what is meant then. */
export function isOptional(context: StructContext, field: Field): boolean {
  if (field.default !== null || field.ignorable || field.tag !== null) return true;
  return context.versions.some((version) => presence(field, version) === "absent");
}

/** The default as an expression. */
export function defaultExpression(context: StructContext, field: Field): string {
  if (defaultsToNull(field)) return "null";
  if (field.isArray) return "[]";
  if (field.type.kind === "struct") {
    return `default${context.naming.typeName(context.message, field.type.struct)}`;
  }
  switch (field.type.scalar) {
    case "bool":
      return field.default === "true" ? "true" : "false";
    case "string":
      return JSON.stringify(field.default ?? "");
    case "uuid":
      return "zeroUuid";
    case "bytes":
    case "records":
      return "emptyBytes";
    default:
      return field.wide ? `${BigInt(field.default ?? 0)}n` : numberLiteral(field);
  }
}

function numberLiteral(field: Field): string {
  const value = Number(field.default ?? 0);
  if (!Number.isSafeInteger(value)) {
    throw new Error(`${field.name}: default ${field.default} needs a wide field`);
  }
  return String(value);
}

/** A condition that holds if `value` is not the default. */
export function isSetExpression(context: StructContext, field: Field, value: string): string {
  if (defaultsToNull(field)) return `${value} !== null`;
  const orNull = isNullable(field) ? `${value} === null || ` : "";
  if (field.isArray) return `${orNull}${value}.length !== 0`;
  if (field.type.kind === "struct") {
    return `${orNull}!isDefault${context.naming.typeName(context.message, field.type.struct)}(${value})`;
  }
  const { scalar } = field.type;
  if (scalar === "bytes") return `${orNull}${value}.length !== 0`;
  if (scalar === "records") throw new Error(`${field.name}: records that a version lacks`);
  if (scalar === "bool") return defaultExpression(context, field) === "true" ? `!${value}` : value;
  return `${value} !== ${defaultExpression(context, field)}`;
}

const fixedBytes: Readonly<Record<string, number>> = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
};

/** The fewest bytes that one element of an array field takes in `version`. */
export function elementBytesMin(message: Message, field: Field, version: number): number {
  if (field.type.kind === "struct") return structBytesMin(message, field.type.struct, version);
  const fixed = fixedBytes[field.type.scalar];
  if (fixed !== undefined) return fixed;
  if (isFlexible(message, field, version)) return 1;
  return field.type.scalar === "string" ? 2 : 4;
}

function structBytesMin(message: Message, name: string, version: number): number {
  const struct = message.structs.find((candidate) => candidate.name === name);
  if (struct === undefined) throw new Error(`${message.name}: no struct named ${name}`);
  let bytes = contains(message.flexibleVersions, version) ? 1 : 0;
  for (const field of struct.fields) {
    if (presence(field, version) === "plain") bytes += fieldBytesMin(message, field, version);
  }
  return bytes;
}

function fieldBytesMin(message: Message, field: Field, version: number): number {
  if (field.isArray) return isFlexible(message, field, version) ? 1 : 4;
  if (field.type.kind === "struct" && contains(field.nullableVersions, version)) return 1;
  return elementBytesMin(message, field, version);
}
