import type { Field, Message, Struct } from "../generator/schema.ts";
import { emptyBytes } from "../src/codec/message.ts";
import { zeroUuid } from "../src/codec/uuid.ts";
import type { Decoded } from "./schemas.ts";

/** The struct of this name in a message. */
export function structOf(message: Message, name: string): Struct {
  const struct = message.structs.find((candidate) => candidate.name === name);
  if (struct === undefined) throw new Error(`${message.name}: no struct named ${name}`);
  return struct;
}

/** What a decoder gives for a field that a version lacks, read from the schema alone. */
export function defaultValue(message: Message, field: Field): unknown {
  if (field.default === "null") return null;
  if (field.isArray) return [];
  if (field.type.kind === "struct") {
    const struct = structOf(message, field.type.struct);
    return defaultStruct(message, struct);
  }
  switch (field.type.scalar) {
    case "bool":
      return field.default === "true";
    case "string":
      return field.default ?? "";
    case "uuid":
      return zeroUuid;
    case "bytes":
      return emptyBytes;
    case "records":
      return null;
    default:
      return field.wide ? BigInt(field.default ?? 0) : Number(field.default ?? 0);
  }
}

function defaultStruct(message: Message, struct: Struct): Decoded {
  return Object.fromEntries(
    struct.fields.map((field) => [field.property, defaultValue(message, field)]),
  );
}
