import type { Field, Message, Struct } from "../generator/schema.ts";
import { contains } from "../generator/versions.ts";
import { type Uuid, uuidToBase64 } from "../src/codec/uuid.ts";
import { structOf } from "./default-value.ts";
import type { Decoded } from "./schemas.ts";

/** A message in the JSON that Kafka's own converters read: the fields of this version, bytes and ids in base64. */
export function kafkaJson(message: Message, version: number, value: Decoded): string {
  const json = JSON.stringify(structJson({ message, version }, message.root, value));
  return json.replaceAll(/"bare:([^"]+)"/g, "$1");
}

interface Target {
  readonly message: Message;
  readonly version: number;
}

function structJson(target: Target, struct: Struct, value: Decoded): unknown {
  return Object.fromEntries(
    struct.fields
      .filter((field) => contains(field.versions, target.version))
      .map((field) => [field.property, fieldJson(target, field, value[field.property])]),
  );
}

function fieldJson(target: Target, field: Field, value: unknown): unknown {
  if (value === null) return null;
  if (!field.isArray) return valueJson(target, field, value);
  return (value as readonly unknown[]).map((item) => valueJson(target, field, item));
}

function valueJson(target: Target, field: Field, value: unknown): unknown {
  if (field.type.kind === "struct") {
    return structJson(target, structOf(target.message, field.type.struct), value as Decoded);
  }
  if (field.type.scalar === "uuid") return uuidToBase64(value as Uuid);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  // JSON takes any integer, JSON.stringify no bigint; and Kafka wants its doubles with a point. These numbers are
  // written as marked strings, whose quotes go at the end.
  if (typeof value === "bigint") return `bare:${value}`;
  return field.type.scalar === "float64" ? `bare:${doubleText(value as number)}` : value;
}

function doubleText(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : value.toString();
}
