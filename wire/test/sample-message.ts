import type { Field, Message, ScalarType, Struct } from "../generator/schema.ts";
import { contains } from "../generator/versions.ts";
import { defaultValue, structOf } from "./default-value.ts";
import type { Decoded } from "./schemas.ts";

/**
 * Samples of every message and version: the first has everything empty, zero or null, the second leaves some fields so,
 * and the third has every array filled and every field that a version knows present.
 */
export const samplesPerVersion = 3;

/** Draws of a fixed sequence: the golden bytes were made from these values, so it must never change. */
class Draws {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** An integer in [0, bound). The generator is mulberry32. */
  below(bound: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

const texts = ["", "a", "orders", "größe-Ω-日本", "🚀 launch", "x".repeat(41), "ü".repeat(70)];
const int16s = [0, 1, -1, 3, 32_767, -32_768, 258];
const int32s = [0, 1, -1, 77, 2_147_483_647, -2_147_483_648, 16_909_060];
const safe = Number.MAX_SAFE_INTEGER;
const int64s = [0, 1, -1, safe, -safe, 4_294_967_296, -4_294_967_297, 1_700_000_000_000];
const wideInt64s = [
  0n,
  -1n,
  -2n,
  9_223_372_036_854_775_807n,
  -9_223_372_036_854_775_808n,
  1n << 53n,
];

interface Sampling {
  readonly message: Message;
  readonly version: number;
  readonly draws: Draws;
  readonly fill: "bare" | "mixed" | "full";
}

/** Sample `index` of a message in a version, as its decoder would return it. */
export function sampleMessage(message: Message, version: number, index: number): Decoded {
  let seed = index * 31 + version * 977;
  for (const character of message.name) seed = Math.imul(seed, 31) + character.charCodeAt(0);
  const fill = (["bare", "mixed", "full"] as const)[index];
  if (fill === undefined) throw new RangeError(`no sample ${index}`);
  return sampleStruct({ message, version, draws: new Draws(seed), fill }, message.root);
}

function sampleStruct(sampling: Sampling, struct: Struct): Decoded {
  return Object.fromEntries(
    struct.fields.map((field) => [field.property, sampleField(sampling, field)]),
  );
}

function sampleField(sampling: Sampling, field: Field): unknown {
  const { message, version, draws, fill } = sampling;
  if (!contains(field.versions, version)) return defaultValue(message, field);
  const isNull = fill === "bare" || (fill === "mixed" && draws.below(4) === 0);
  if (isNull && contains(field.nullableVersions, version)) return null;
  if (fill === "mixed" && field.tag !== null && draws.below(3) === 0) {
    return defaultValue(message, field);
  }
  if (!field.isArray) return sampleValue(sampling, field);
  const lengths = { bare: [0], mixed: [0, 1, 2, 2, 3], full: [1, 2] };
  const length = draws.pick(lengths[fill]);
  return Array.from({ length }, () => sampleValue(sampling, field));
}

function sampleValue(sampling: Sampling, field: Field): unknown {
  const isBare = sampling.fill === "bare";
  if (field.type.kind === "struct") {
    return sampleStruct(sampling, structOf(sampling.message, field.type.struct));
  }
  if (field.wide) return isBare ? 0n : sampling.draws.pick(wideInt64s);
  return isBare ? bareScalar(field.type.scalar) : drawScalar(sampling, field.type.scalar);
}

function bareScalar(scalar: ScalarType): unknown {
  if (scalar === "bool") return false;
  if (scalar === "string") return "";
  if (scalar === "uuid") return "0".repeat(32);
  return scalar === "bytes" || scalar === "records" ? new Uint8Array(0) : 0;
}

function drawScalar({ draws }: Sampling, scalar: ScalarType): unknown {
  switch (scalar) {
    case "bool":
      return draws.below(2) === 1;
    case "int8":
      return draws.pick([0, 1, -1, 127, -128]);
    case "int16":
      return draws.pick(int16s);
    case "uint16":
      return draws.pick([0, 9092, 32_768, 65_535]);
    case "int32":
      return draws.pick(int32s);
    case "int64":
      return draws.pick(int64s);
    case "float64":
      return draws.pick([0, -1.5, 1048576, 0.1, 5e-324]);
    case "string":
      return draws.pick(texts);
    case "uuid":
      return Array.from({ length: 32 }, () => draws.below(16).toString(16)).join("");
    default:
      return Uint8Array.from({ length: draws.pick([0, 1, 5, 150]) }, () => draws.below(256));
  }
}
