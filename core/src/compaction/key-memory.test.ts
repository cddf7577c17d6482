import { expect, test } from "vitest";
import { KeyMap } from "./key-map.ts";
import { KeyMemory } from "./key-memory.ts";

const seed = Uint8Array.from({ length: 16 }, (_, i) => i);

function keyOf(text: string): { bytes: Uint8Array; from: number; length: number } {
  const bytes = new TextEncoder().encode(text);
  return { bytes, from: 0, length: bytes.length };
}

test("memory that was given back serves the next map, which is empty nevertheless", () => {
  const memory = new KeyMemory();
  const first = KeyMap.create({ budgetBytes: 10_000, keysMax: 100, seed, memory });
  for (let i = 0; i < 100; i++) first.put(keyOf(`k${i}`), i);
  memory.giveBack(first.bytes);
  const bytes = KeyMap.layOut({ budgetBytes: 10_000, keysMax: 60, seed, memory });
  expect(bytes.buffer).toBe(first.bytes.buffer);
  const second = KeyMap.over(bytes);
  expect([second.size, second.offsetOf(keyOf("k1"))]).toEqual([0, -1]);
  second.put(keyOf("k2"), 7);
  const again = KeyMap.over(bytes);
  expect([again.size, again.offsetOf(keyOf("k2"))]).toEqual([1, 7]);
});

test("memory that was not given back, or is too small, serves no other map", () => {
  const memory = new KeyMemory();
  const { memory: first } = memory.take(100);
  const { memory: second } = memory.take(100);
  expect(second).not.toBe(first);
  memory.giveBack(new Uint8Array(second));
  const larger = memory.take(150);
  expect(larger.state).toBe("zeros");
  expect(larger.memory.byteLength).toBe(200);
  memory.giveBack(new Uint8Array(larger.memory));
  expect(memory.take(1000).memory.byteLength).toBe(1000);
});
