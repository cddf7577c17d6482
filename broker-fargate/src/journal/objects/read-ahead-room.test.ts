import { expect, it } from "vitest";
import { ReadAheadRoom } from "./read-ahead-room.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("gives room in the order of asking, up to its bytes, and to what is larger than all of it alone", async () => {
  const room = new ReadAheadRoom(100);
  const given: string[] = [];
  const ask = (name: string, bytes: Promise<number>): void => {
    void room.take(bytes).then(() => given.push(name));
  };
  let tellFirst: (bytes: number) => void = () => undefined;
  ask("told late", new Promise((resolve) => (tellFirst = resolve)));
  ask("60", Promise.resolve(60));
  ask("failed", Promise.reject(new Error("it could not be read")));
  ask("500", Promise.resolve(500));
  ask("0", Promise.resolve(0));
  await turn();
  expect(given).toEqual([]);
  tellFirst(40);
  await turn();
  expect(given).toEqual(["told late", "60", "failed"]);
  room.free(40);
  await turn();
  expect(given).toHaveLength(3);
  room.free(60);
  await turn();
  expect(given).toEqual(["told late", "60", "failed", "500", "0"]);
});
