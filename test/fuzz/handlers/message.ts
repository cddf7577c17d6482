import type { Field, Message, Struct } from "../../../wire/generator/schema.ts";
import { contains } from "../../../wire/generator/versions.ts";
import { defaultValue, structOf } from "../../../wire/test/default-value.ts";
import type { Decoded } from "../../../wire/test/schemas.ts";
import type { Chance } from "../chance.ts";
import { edgeValue, type Scene, usualValue } from "./field-values.ts";
import type { Knowledge } from "./knowledge.ts";

/** Elements of all arrays of one message together. */
const elementsMax = 2_000;

interface Making {
  readonly message: Message;
  readonly version: number;
  readonly scene: Omit<Scene, "struct">;
  elementsLeft: number;
}

/** A request that its version can carry: sensible as a whole, odd in some of its fields. */
export function makeRequest(
  message: Message,
  version: number,
  from: { readonly chance: Chance; readonly knowledge: Knowledge },
): Decoded {
  const { chance, knowledge } = from;
  const focus = knowledge.focus(chance);
  const scene = { chance, knowledge, focus, message: message.name };
  return structValue({ message, version, scene, elementsLeft: elementsMax }, message.root);
}

function structValue(making: Making, struct: Struct): Decoded {
  return Object.fromEntries(
    struct.fields.map((field) => [field.property, fieldValue(making, struct, field)]),
  );
}

function fieldValue(making: Making, struct: Struct, field: Field): unknown {
  const { message, version } = making;
  const { chance } = making.scene;
  const usual = defaultValue(message, field);
  if (!contains(field.versions, version)) return usual;
  if (field.tag !== null && chance.perThousand(400)) return usual;
  const mayBeNull = contains(field.nullableVersions, version);
  if (mayBeNull && chance.perThousand(80)) return null;
  const value = field.isArray
    ? arrayValue(making, struct, field)
    : singleValue(making, struct, field);
  return value === null && !mayBeNull ? usual : value;
}

function arrayValue(making: Making, struct: Struct, field: Field): readonly unknown[] {
  const { chance } = making.scene;
  const length = Math.min(making.elementsLeft, arrayLength(chance));
  making.elementsLeft -= length;
  const items: unknown[] = [];
  while (items.length < length) {
    const isCopy = items.length > 0 && chance.perThousand(150);
    // A null has no place in an array: what is drawn as one is left out.
    const item = isCopy ? chance.pick(items) : singleValue(making, struct, field);
    items.push(item ?? edgeOf(field, chance));
  }
  return items;
}

function arrayLength(chance: Chance): number {
  const kind = chance.below(1_000);
  if (kind < 80) return 0;
  if (kind < 700) return 1;
  if (kind < 880) return 2;
  return kind < 995 ? chance.between(3, 6) : chance.between(50, elementsMax);
}

function singleValue(making: Making, struct: Struct, field: Field): unknown {
  const { chance } = making.scene;
  if (field.type.kind === "struct") {
    return structValue(making, structOf(making.message, field.type.struct));
  }
  if (field.wide) return chance.pick([0n, -1n, 5n, (1n << 63n) - 1n, -(1n << 63n)]);
  if (chance.perThousand(30)) return edgeOf(field, chance);
  const usual = usualValue(field.property, { ...making.scene, struct: struct.name });
  return isOfType(usual, field) ? usual : edgeOf(field, chance);
}

/** A name that means a text in one message may be a number's in another. */
function isOfType(value: unknown, field: Field): boolean {
  if (value === null) return true;
  if (field.type.kind === "struct") return false;
  switch (field.type.scalar) {
    case "bool":
      return typeof value === "boolean";
    case "string":
    case "uuid":
      return typeof value === "string";
    case "bytes":
    case "records":
      return value instanceof Uint8Array;
    default:
      return typeof value === "number";
  }
}

function edgeOf(field: Field, chance: Chance): unknown {
  return field.type.kind === "struct" ? undefined : edgeValue(field.type.scalar, chance);
}
