import { arraySuffix, scalarMethod } from "./emit-decode.ts";
import { inputExpression } from "./emit-types.ts";
import { isNullable, isSetExpression, presence, type StructContext } from "./field.ts";
import { localName } from "./naming.ts";
import { type Field, isFlexible } from "./schema.ts";
import { contains, segments, selectStatements } from "./versions.ts";

/** A function that writes one struct, field by field, in the order of the wire. */
export function emitEncode(context: StructContext): string {
  const { message, struct, versions } = context;
  const name = context.naming.typeName(message, struct.name);
  const isRoot = struct === message.root;
  const lines = isRoot ? [versionCheck(name, versions)] : [];
  for (const field of struct.fields) lines.push(encodeField(context, field));
  lines.push(encodeTags(context));
  const code = lines.filter(Boolean).join("\n");
  const parameters = [
    `${/\bwriter\b/.test(code) ? "writer" : "_writer"}: Writer`,
    `${/\bversion\b/.test(code) ? "version" : "_version"}: number`,
    `${/\bmessage\b/.test(code) ? "message" : "_message"}: ${name}Input`,
  ].join(", ");
  const contract = `/** Writes a ${name}. Throws EncodeError if the version cannot carry the message. */`;
  const head = isRoot || isEncodable(context) ? `${contract}\nexport function` : "function";
  return `${head} encode${name}(${parameters}): void {\n${code}\n}`;
}

/** Whether callers encode the struct by itself. */
function isEncodable({ message, struct }: StructContext): boolean {
  return [message.root, ...message.structs].some(({ fields }) =>
    fields.some(
      ({ encodable, type }) => encodable && type.kind === "struct" && type.struct === struct.name,
    ),
  );
}

function versionCheck(name: string, versions: readonly number[]): string {
  const test = `version < ${versions[0]} || version > ${versions.at(-1)}`;
  return `if (${test}) unwritableVersion(${JSON.stringify(name)}, version);`;
}

function encodeField(context: StructContext, field: Field): string {
  const local = localName(field.property);
  const parts = segments(context.versions, (version) => {
    switch (presence(field, version)) {
      case "absent":
        return field.ignorable ? "" : refusal(context, field);
      case "plain":
        return writeStatement(context, field, version);
      default:
        return "";
    }
  });
  return `const ${local} = ${inputExpression(context, field)};\n${selectStatements(parts)}`;
}

function refusal(context: StructContext, field: Field): string {
  const set = isSetExpression(context, field, localName(field.property));
  return `if (${set}) refuse(${JSON.stringify(field.property)}, version);`;
}

function writeStatement(context: StructContext, field: Field, version: number): string {
  const local = localName(field.property);
  if (field.isArray) return writeArray(context, field, version);
  if (field.type.kind === "struct") return writeStruct(context, field, version);
  return `writer.${scalarMethod(context, field, version)}(${notNull(field, local, version)});`;
}

/** The value, checked against null where its type admits null and the version does not. */
function notNull(field: Field, local: string, version: number): string {
  if (!isNullable(field) || contains(field.nullableVersions, version)) return local;
  return `present(${local}, ${JSON.stringify(field.property)}, version)`;
}

function writeStruct(context: StructContext, field: Field, version: number): string {
  if (field.type.kind !== "struct") throw new Error(`${field.name} is no struct`);
  const local = localName(field.property);
  const name = context.naming.typeName(context.message, field.type.struct);
  if (contains(field.nullableVersions, version)) {
    const write = `if (${local} !== null) encode${name}(writer, version, ${local});`;
    return `writer.structMarker(${local});\n${write}`;
  }
  return `encode${name}(writer, version, ${notNull(field, local, version)});`;
}

function writeArray(context: StructContext, field: Field, version: number): string {
  const local = localName(field.property);
  const flexible = isFlexible(context.message, field, version);
  const method = flexible ? "compactArrayCount" : "arrayCount";
  if (contains(field.nullableVersions, version)) {
    return [
      `writer.${method}(${local} === null ? -1 : ${local}.length);`,
      `if (${local} !== null) ${writeElements(context, field, { flexible, items: local })}`,
    ].join("\n");
  }
  const items = isNullable(field) ? `${local}Items` : local;
  const count = field.encodable ? `countItems(${items})` : `${items}.length`;
  const lines = [`writer.${method}(${count});`, writeElements(context, field, { flexible, items })];
  if (items !== local) lines.unshift(`const ${items} = ${notNull(field, local, version)};`);
  return lines.join("\n");
}

function writeElements(
  context: StructContext,
  field: Field,
  how: { readonly flexible: boolean; readonly items: string },
): string {
  if (field.type.kind === "struct") {
    const name = context.naming.typeName(context.message, field.type.struct);
    const encode = `encode${name}(writer, version, item);`;
    if (!field.encodable) return `for (const item of ${how.items}) ${encode}`;
    return [
      `for (const item of ${how.items}) {`,
      "if (item instanceof EncodedItems) writer.attach(item.pieces);",
      `else ${encode}`,
      "}",
    ].join("\n");
  }
  return `write${arraySuffix(field.type.scalar, how.flexible)}(writer, ${how.items});`;
}

/** The tagged fields at a struct's end: those that are not at their default, counted first. */
function encodeTags(context: StructContext): string {
  const { message, struct, versions } = context;
  const tagged = struct.fields
    .filter((field) => field.tag !== null)
    .sort((a, b) => (a.tag ?? 0) - (b.tag ?? 0));
  const parts = segments(versions, (version) => {
    if (!contains(message.flexibleVersions, version)) return "";
    const known = tagged.filter((field) => presence(field, version) === "tagged");
    return known.length === 0 ? "writer.uvarint(0);" : writeTags(context, known, version);
  });
  return selectStatements(parts);
}

function writeTags(context: StructContext, known: readonly Field[], version: number): string {
  const flag = (field: Field): string => `has${capitalised(field.property)}`;
  const flags = known.map(
    (field) =>
      `const ${flag(field)} = ${isSetExpression(context, field, localName(field.property))};`,
  );
  const ones = known.map((field) => `(${flag(field)} ? 1 : 0)`);
  const count = ones.length === 1 ? `${flag(known[0] as Field)} ? 1 : 0` : ones.join(" + ");
  const fields = known.flatMap((field) => [
    `if (${flag(field)}) {`,
    `const mark = writer.beginTaggedField(${field.tag});`,
    writeStatement(context, field, version),
    "writer.endTaggedField(mark);",
    "}",
  ]);
  return [...flags, `writer.uvarint(${count});`, ...fields].join("\n");
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
