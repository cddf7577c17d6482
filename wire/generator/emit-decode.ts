import { fieldType } from "./emit-types.ts";
import {
  defaultExpression,
  defaultsToNull,
  elementBytesMin,
  isNullable,
  presence,
} from "./field.ts";
import type { StructContext } from "./field.ts";
import { localName } from "./naming.ts";
import { type Field, isFlexible, type ScalarType } from "./schema.ts";
import { contains, segments, selectExpression, selectStatements } from "./versions.ts";

/** A function that reads one struct, one constant a field, in the order of the wire. */
export function emitDecode(context: StructContext): string {
  const { message, struct, versions } = context;
  const name = context.naming.typeName(message, struct.name);
  const body: string[] = [];
  for (const field of struct.fields) body.push(decodeField(context, field));
  body.push(decodeTags(context));
  const literal = struct.fields.map((field) => {
    const local = localName(field.property);
    return local === field.property ? `${local},` : `${field.property}: ${local},`;
  });
  const isRoot = struct === message.root;
  const opening = isRoot ? versionCheck(name, versions) : "";
  const code = [opening, ...body, "return {", ...literal, "};"].filter(Boolean).join("\n");
  const versionParameter = /\bversion\b/.test(code) ? "version" : "_version";
  const head = isRoot ? `${contract(name, versions)}\nexport function` : "function";
  return `${head} decode${name}(reader: Reader, ${versionParameter}: number): ${name} {\n${code}\n}`;
}

function contract(name: string, versions: readonly number[]): string {
  const first = versions[0];
  const last = versions.at(-1);
  const range = first === last ? `version ${first}` : `versions ${first} to ${last}`;
  return `/** Reads a ${name}, ${range}. Throws DecodeError. */`;
}

function versionCheck(name: string, versions: readonly number[]): string {
  const test = `version < ${versions[0]} || version > ${versions.at(-1)}`;
  return `if (${test}) unreadableVersion(${JSON.stringify(name)}, version, reader.position);`;
}

/** A function that reads as many structs as a checked count says. */
export function emitDecodeArray(context: StructContext): string {
  const name = context.naming.typeName(context.message, context.struct.name);
  return [
    `function decodeArrayOf${name}(reader: Reader, version: number, count: number): ${name}[] {`,
    `const items: ${name}[] = [];`,
    `for (let left = count; left > 0; left -= 1) items.push(decode${name}(reader, version));`,
    "return items;",
    "}",
  ].join("\n");
}

function decodeField(context: StructContext, field: Field): string {
  const local = localName(field.property);
  const { versions } = context;
  const fallback = defaultExpression(context, field);
  if (versions.some((version) => presence(field, version) === "tagged")) {
    if (versions.some((version) => presence(field, version) === "plain")) {
      throw new Error(`${field.name}: tagged in some versions only`);
    }
    return `let ${local}: ${fieldType(context, field, "decoded")} = ${fallback};`;
  }
  if (field.isArray) return decodeArray(context, field);
  const value = segments(versions, (version) =>
    presence(field, version) === "absent" ? fallback : readExpression(context, field, version),
  );
  return `const ${local} = ${selectExpression(value)};`;
}

function decodeArray(context: StructContext, field: Field): string {
  const local = localName(field.property);
  const count = `${local}Count`;
  return [
    `const ${count} = ${countExpression(context, field)};`,
    `const ${local} = ${orNull(field, count, elementsExpression(context, field, count))};`,
  ].join("\n");
}

function orNull(field: Field, count: string, elements: string): string {
  return isNullable(field) ? `${count} < 0 ? null : ${elements}` : elements;
}

/** How many elements follow; an array that a version lacks has as many as its default. */
function countExpression(context: StructContext, field: Field): string {
  const { message, versions } = context;
  const absent = defaultsToNull(field) ? "-1" : "0";
  const methods = segments(versions, (version) =>
    presence(field, version) === "absent" ? "" : countMethod(context, field, version),
  );
  const counts = methods.map((part) => {
    if (part.value === "") return { ...part, value: absent };
    const sizes = versions
      .filter((version) => version >= part.first && version <= part.last)
      .map((version) => elementBytesMin(message, field, version));
    const bytesMin = Math.min(...sizes);
    if (bytesMin === 0) throw new Error(`${message.name}.${field.name}: elements without bytes`);
    return { ...part, value: `reader.${part.value}(${bytesMin})` };
  });
  return selectExpression(counts);
}

function countMethod(context: StructContext, field: Field, version: number): string {
  const nullable = contains(field.nullableVersions, version);
  if (isFlexible(context.message, field, version)) {
    return nullable ? "compactNullableArrayCount" : "compactArrayCount";
  }
  return nullable ? "nullableArrayCount" : "arrayCount";
}

function elementsExpression(context: StructContext, field: Field, count: string): string {
  const { type } = field;
  if (type.kind === "struct") {
    const name = context.naming.typeName(context.message, type.struct);
    return `decodeArrayOf${name}(reader, version, ${count})`;
  }
  const present = context.versions.filter((version) => presence(field, version) !== "absent");
  const readers = segments(present, (version) => {
    const flexible = isFlexible(context.message, field, version);
    return `read${arraySuffix(type.scalar, flexible)}(reader, ${count})`;
  });
  return selectExpression(readers);
}

/** The ending of the functions in codec/arrays.ts. */
export function arraySuffix(scalar: ScalarType, flexible: boolean): string {
  switch (scalar) {
    case "int8":
      return "Int8s";
    case "int16":
      return "Int16s";
    case "int32":
      return "Int32s";
    case "int64":
      return "Int64s";
    case "string":
      return flexible ? "CompactStrings" : "Strings";
    default:
      throw new Error(`no arrays of ${scalar}`);
  }
}

function readExpression(context: StructContext, field: Field, version: number): string {
  if (field.type.kind === "struct") {
    const name = context.naming.typeName(context.message, field.type.struct);
    const read = `decode${name}(reader, version)`;
    const nullable = contains(field.nullableVersions, version);
    return nullable ? `(reader.structFollows() ? ${read} : null)` : read;
  }
  if (field.clamped) return "reader.clampedInt64()";
  return `reader.${scalarMethod(context, field, version)}()`;
}

/** The method of Reader and of Writer for a scalar field. */
export function scalarMethod(context: StructContext, field: Field, version: number): string {
  if (field.type.kind === "struct") throw new Error(`${field.name} is a struct`);
  const { scalar } = field.type;
  if (scalar === "bool") return "boolean";
  if (scalar === "int64") return field.wide ? "wideInt64" : "int64";
  if (scalar !== "string" && scalar !== "bytes" && scalar !== "records") return scalar;
  const nullable = contains(field.nullableVersions, version);
  const capital = scalar.charAt(0).toUpperCase() + scalar.slice(1);
  if (isFlexible(context.message, field, version)) {
    return `compact${nullable ? "Nullable" : ""}${capital}`;
  }
  return nullable ? `nullable${capital}` : scalar;
}

/** The tagged fields at a struct's end: those that the schema knows, and the rest skipped. */
function decodeTags(context: StructContext): string {
  const { message, struct, versions } = context;
  const tagged = struct.fields.filter((field) => field.tag !== null);
  const parts = segments(versions, (version) => {
    if (!contains(message.flexibleVersions, version)) return "";
    const known = tagged.filter((field) => presence(field, version) === "tagged");
    return known.length === 0 ? "reader.skipTaggedFields();" : tagLoop(context, known, version);
  });
  return selectStatements(parts);
}

function tagLoop(context: StructContext, known: readonly Field[], version: number): string {
  return [
    "for (let left = reader.taggedFieldCount(); left > 0; left -= 1) {",
    "const tag = reader.uvarint();",
    "const end = reader.taggedFieldEnd();",
    "switch (tag) {",
    ...known.map((field) => tagCase(context, field, version)),
    "default:",
    "reader.position = end;",
    "}",
    "reader.expectPosition(end);",
    "}",
  ].join("\n");
}

function tagCase(context: StructContext, field: Field, version: number): string {
  const local = localName(field.property);
  const single = { ...context, versions: [version] };
  const lines = [`case ${field.tag}:`];
  if (field.isArray) {
    const count = `${local}Count`;
    lines[0] += " {";
    lines.push(`const ${count} = ${countExpression(single, field)};`);
    lines.push(`${local} = ${orNull(field, count, elementsExpression(single, field, count))};`);
    lines.push("break;", "}");
  } else {
    lines.push(`${local} = ${readExpression(context, field, version)};`, "break;");
  }
  return lines.join("\n");
}
