import * as fc from "fast-check";
import type { Field, Message, ScalarType, Struct } from "../generator/schema.ts";
import { contains } from "../generator/versions.ts";
import { defaultValue, structOf } from "./default-value.ts";
import type { Decoded } from "./schemas.ts";

/** Any message that `version` can carry, as its decoder would return it. */
export function arbitraryMessage(message: Message, version: number): fc.Arbitrary<Decoded> {
  return arbitraryStruct({ message, version }, message.root);
}

interface Target {
  readonly message: Message;
  readonly version: number;
}

function arbitraryStruct(target: Target, struct: Struct): fc.Arbitrary<Decoded> {
  const fields = struct.fields.map((field) => [field.property, arbitraryField(target, field)]);
  return fc.record(Object.fromEntries(fields), { noNullPrototype: true });
}

function arbitraryField(target: Target, field: Field): fc.Arbitrary<unknown> {
  const { message, version } = target;
  const usual = fc.constant(defaultValue(message, field));
  if (!contains(field.versions, version)) return usual;
  const value = arbitraryValue(target, field);
  const whole = field.isArray ? fc.array(value, { maxLength: 3 }) : value;
  const tagged = field.tag === null ? whole : fc.oneof(usual, whole);
  return contains(field.nullableVersions, version) ? fc.option(tagged) : tagged;
}

function arbitraryValue(target: Target, field: Field): fc.Arbitrary<unknown> {
  if (field.type.kind === "struct") {
    return arbitraryStruct(target, structOf(target.message, field.type.struct));
  }
  if (field.wide) return fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
  return arbitraryScalar(field.type.scalar);
}

function arbitraryScalar(scalar: ScalarType): fc.Arbitrary<unknown> {
  switch (scalar) {
    case "bool":
      return fc.boolean();
    case "int8":
      return fc.integer({ min: -128, max: 127 });
    case "int16":
      return fc.integer({ min: -32_768, max: 32_767 });
    case "uint16":
      return fc.nat(65_535);
    case "int32":
      return fc.integer();
    case "int64":
      return fc.maxSafeInteger();
    case "float64":
      return fc.double();
    case "string":
      return fc.oneof(fc.string(), fc.string({ unit: "binary", maxLength: 90 }));
    case "uuid":
      return fc.uint8Array({ minLength: 16, maxLength: 16 }).map(hexOf);
    default:
      return fc.uint8Array({ maxLength: 200 });
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
