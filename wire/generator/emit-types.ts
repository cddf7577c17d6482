import {
  defaultExpression,
  isNullable,
  isOptional,
  isSetExpression,
  type StructContext,
} from "./field.ts";
import { localName } from "./naming.ts";
import type { Field, ScalarType } from "./schema.ts";

const scalarTypeNames: Readonly<Record<ScalarType, string>> = {
  bool: "boolean",
  int8: "number",
  int16: "number",
  uint16: "number",
  int32: "number",
  int64: "number",
  float64: "number",
  string: "string",
  uuid: "Uuid",
  bytes: "Uint8Array",
  records: "Uint8Array",
};

/** What a decoder returns, and what an encoder takes. */
type Side = "decoded" | "input";

function elementType(context: StructContext, field: Field, side: Side): string {
  if (field.type.kind === "struct") {
    const name = context.naming.typeName(context.message, field.type.struct);
    if (side === "decoded") return name;
    return field.encodable ? `(${name}Input | EncodedItems)` : `${name}Input`;
  }
  if (field.wide) return "bigint";
  if (field.type.scalar === "records" && side === "input") return "RecordBytes";
  return scalarTypeNames[field.type.scalar];
}

/** The type of a field. */
export function fieldType(context: StructContext, field: Field, side: Side): string {
  const element = elementType(context, field, side);
  const whole = field.isArray ? `readonly ${element}[]` : element;
  return isNullable(field) ? `${whole} | null` : whole;
}

/** The interface of a struct as decoded, and of the same struct as its encoder takes it. */
export function emitTypes(context: StructContext): string {
  const name = context.naming.typeName(context.message, context.struct.name);
  const decoded = context.struct.fields.map(
    (field) => `readonly ${field.property}: ${fieldType(context, field, "decoded")};`,
  );
  const input = context.struct.fields.map((field) => {
    const mark = isOptional(context, field) ? "?" : "";
    return `readonly ${field.property}${mark}: ${fieldType(context, field, "input")};`;
  });
  return [
    `export interface ${name} {`,
    ...decoded,
    "}",
    "",
    `export interface ${name}Input {`,
    ...input,
    "}",
  ].join("\n");
}

/** The struct with all its fields at their defaults. */
export function emitDefault(context: StructContext): string {
  const name = context.naming.typeName(context.message, context.struct.name);
  const fields = context.struct.fields.map(
    (field) => `${field.property}: ${defaultExpression(context, field)},`,
  );
  return [`const default${name}: ${name} = {`, ...fields, "};"].join("\n");
}

/** A function that says whether all fields of a struct are at their defaults. */
export function emitIsDefault(context: StructContext): string {
  const name = context.naming.typeName(context.message, context.struct.name);
  const lines = context.struct.fields.map((field) => {
    const local = localName(field.property);
    return [
      `const ${local} = ${inputExpression(context, field)};`,
      `if (${isSetExpression(context, field, local)}) return false;`,
    ].join("\n");
  });
  return [
    `function isDefault${name}(message: ${name}Input): boolean {`,
    `if (message === default${name}) return true;`,
    ...lines,
    "return true;",
    "}",
  ].join("\n");
}

/** A field of `message`, or its default where the caller left it out. */
export function inputExpression(context: StructContext, field: Field): string {
  const value = `message.${field.property}`;
  if (!isOptional(context, field)) return value;
  const fallback = defaultExpression(context, field);
  if (isNullable(field) && fallback !== "null") {
    return `${value} === undefined ? ${fallback} : ${value}`;
  }
  return `${value} ?? ${fallback}`;
}
