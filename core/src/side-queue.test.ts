import { expect, test } from "vitest";
import { SideQueue } from "./side-queue.ts";

const limits = { threadsMax: 2, waitingCallsMax: 3, waitingBytesMax: 100 };
const reply = (name: string, byteLength = 1) => ({ name, urgency: "reply" as const, byteLength });
const background = (name: string, byteLength = 1) => {
  return { name, urgency: "background" as const, byteLength };
};

test("side work begins with replies, in the order in which they came", () => {
  const queue = new SideQueue<ReturnType<typeof reply> | ReturnType<typeof background>>(limits);
  for (const call of [background("a"), reply("b"), reply("c")]) queue.add(call);
  expect([queue.begin()?.name, queue.begin()?.name, queue.begin()]).toEqual(["b", "c", undefined]);
  queue.ended(reply("b"));
  expect([queue.running, queue.begin()?.name]).toEqual([1, "a"]);
});

test("one background call runs at a time, and leaves a thread to replies", () => {
  const queue = new SideQueue<ReturnType<typeof reply> | ReturnType<typeof background>>(limits);
  for (const call of [background("a"), background("b")]) queue.add(call);
  const first = queue.begin();
  expect([first?.name, queue.begin()]).toEqual(["a", undefined]);
  queue.add(reply("c"));
  expect(queue.begin()?.name).toBe("c");
  if (first !== undefined) queue.ended(first);
  expect(queue.begin()?.name).toBe("b");
});

test("replies without end let a background call begin now and then", () => {
  const queue = new SideQueue<ReturnType<typeof reply> | ReturnType<typeof background>>(limits);
  queue.add(background("a"));
  const begun: string[] = [];
  for (let turn = 0; turn < 40; turn += 1) {
    queue.add(reply("b"));
    const call = queue.begin();
    begun.push(call?.name ?? "");
    if (call?.name === "a") queue.add(background("a"));
    if (call !== undefined) queue.ended(call);
  }
  expect(begun.filter((name) => name === "a")).toHaveLength(2);
  expect([begun.indexOf("a"), begun.lastIndexOf("a")]).toEqual([16, 33]);
});

test("waiting calls are bounded by their count and by their bytes, except for one alone", () => {
  const queue = new SideQueue<ReturnType<typeof reply>>(limits);
  expect(queue.add(reply("huge", 1000))).toBe("waiting");
  expect(queue.add(reply("more", 1))).toBe("full");
  expect(queue.begin()?.name).toBe("huge");
  expect([1, 2, 3, 4].map((n) => queue.add(reply(`${n}`, 30)))).toEqual([
    ...["waiting", "waiting", "waiting", "full"],
  ]);
  expect(queue.takeAll().map(({ name }) => name)).toEqual(["1", "2", "3"]);
  expect(queue.add(reply("again", 100))).toBe("waiting");
  expect(queue.add(reply("too much", 1))).toBe("full");
});
