import type { Chance } from "./chance.ts";

/** Values at the edges of the protocol's lengths and counts. */
const edges32 = [0, 1, -1, -2, 127, 128, 255, 0x7fff, 0xffff, 0x7fffffff, -0x80000000];

type Mutation = (bytes: Uint8Array, chance: Chance) => Uint8Array;

/** One to four changes of the bytes; the result is memory of its own. */
export function mutateBytes(bytes: Uint8Array, chance: Chance): Uint8Array {
  let mutated: Uint8Array = new Uint8Array(bytes);
  for (let left = chance.between(1, 4); left > 0; left -= 1) {
    mutated = chance.pick(mutations)(mutated, chance);
  }
  return mutated;
}

const flipBit: Mutation = (bytes, chance) => {
  if (bytes.length === 0) return bytes;
  const at = chance.below(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << chance.below(8));
  return bytes;
};

const setByte: Mutation = (bytes, chance) => {
  if (bytes.length > 0) bytes[chance.below(bytes.length)] = chance.pick([0, 1, 0x7f, 0x80, 0xff]);
  return bytes;
};

/** Over what may be a length. */
const setEdge: Mutation = (bytes, chance) => {
  if (bytes.length < 4) return bytes;
  const at = chance.below(bytes.length - 3);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (chance.perThousand(500)) view.setInt32(at, chance.pick(edges32));
  else view.setInt16(at, chance.pick(edges32));
  return bytes;
};

/** Over what may be a varint's bytes: one that goes on. */
const setLongVarint: Mutation = (bytes, chance) => {
  if (bytes.length === 0) return bytes;
  const at = chance.below(bytes.length);
  bytes.fill(0xff, at, at + chance.between(1, 10));
  return bytes;
};

const cut: Mutation = (bytes, chance) => bytes.slice(0, chance.below(bytes.length + 1));

const remove: Mutation = (bytes, chance) => {
  const [from, to] = stretch(bytes.length, chance);
  return joined(bytes.subarray(0, from), bytes.subarray(to));
};

const duplicate: Mutation = (bytes, chance) => {
  const [from, to] = stretch(bytes.length, chance);
  return joined(bytes.subarray(0, to), bytes.subarray(from, to), bytes.subarray(to));
};

const insert: Mutation = (bytes, chance) => {
  const at = chance.below(bytes.length + 1);
  const inserted = chance.bytes(chance.between(1, 16));
  return joined(bytes.subarray(0, at), inserted, bytes.subarray(at));
};

const zero: Mutation = (bytes, chance) => {
  const [from, to] = stretch(bytes.length, chance);
  return bytes.fill(0, from, to);
};

const scribble: Mutation = (bytes, chance) => {
  const [from, to] = stretch(bytes.length, chance);
  bytes.set(chance.bytes(to - from), from);
  return bytes;
};

/** Flips come most often: they get deepest. */
const mutations: readonly Mutation[] = [
  ...[flipBit, flipBit, flipBit, setByte, setByte, setEdge, setEdge, setLongVarint],
  ...[cut, remove, duplicate, insert, zero, scribble],
];

function stretch(length: number, chance: Chance): readonly [number, number] {
  const from = chance.below(length + 1);
  return [from, Math.min(length, from + chance.skewed(64))];
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
