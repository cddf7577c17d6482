import { DiskError, topicId } from "@millrace/core";
import { expect, it } from "vitest";
import { LeftFiles } from "./left-files.ts";
import type { PartitionOwner } from "./owner.ts";

const topic = topicId("0123456789abcdef".repeat(2));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Owners whose folders are removed when the test says so. */
class Folders {
  readonly begun: number[] = [];
  readonly warned: unknown[] = [];
  readonly left = new LeftFiles({
    duties: { forget: () => undefined },
    limits: { syncsInFlightMax: 2 },
    warn: (_, cause) => this.warned.push(cause),
  });
  readonly #ends = new Map<number, (error?: DiskError) => void>();

  leave(partition: number): void {
    const remove = (): Promise<void> => {
      this.begun.push(partition);
      return new Promise((resolve, reject) => {
        this.#ends.set(partition, (error) => (error === undefined ? resolve() : reject(error)));
      });
    };
    const log = { sync: () => Promise.resolve(), remove };
    this.left.remove({ topicId: topic, partition, log } as unknown as PartitionOwner);
  }

  async end(partition: number, error?: DiskError): Promise<void> {
    this.#ends.get(partition)?.(error);
    await turn();
  }

  async isGone(partition: number): Promise<boolean> {
    let isGone = false;
    void this.left.gone({ topicId: topic, partition }).then(() => {
      isGone = true;
    });
    await turn();
    return isGone;
  }
}

it("removes some folders at a time; who gets a partition back waits for its own alone", async () => {
  const folders = new Folders();
  for (const partition of [0, 1, 2]) folders.leave(partition);
  await turn();
  expect(folders.begun).toEqual([0, 1]);
  expect(await folders.isGone(9)).toBe(true);
  expect(await folders.isGone(0)).toBe(false);
  await folders.end(0);
  expect(await folders.isGone(0)).toBe(true);
  expect(await folders.isGone(2)).toBe(false);
  expect(folders.begun).toEqual([0, 1, 2]);
});

it("removes at once what somebody waits for, whatever is queued before it, and that once", async () => {
  const folders = new Folders();
  for (const partition of [0, 1, 2, 3]) folders.leave(partition);
  await turn();
  expect(await folders.isGone(3)).toBe(false);
  expect(folders.begun).toEqual([0, 1, 3]);
  await folders.end(3);
  expect(await folders.isGone(3)).toBe(true);
  for (const partition of [0, 1]) await folders.end(partition);
  expect(folders.begun).toEqual([0, 1, 3, 2]);
  await folders.end(2);
  await folders.left.close();
});

it("leaves a folder that can't be removed to whoever opens the partition again, and says so", async () => {
  const folders = new Folders();
  folders.leave(0);
  await turn();
  await folders.end(0, new DiskError("io", { path: "p", applied: "maybe" }));
  expect(await folders.isGone(0)).toBe(true);
  expect(folders.warned).toHaveLength(1);
});

it("begins no removal after the close, which waits for those under way", async () => {
  const folders = new Folders();
  for (const partition of [0, 1, 2, 3]) folders.leave(partition);
  await turn();
  let isClosed = false;
  void folders.left.close().then(() => {
    isClosed = true;
  });
  await folders.end(0);
  expect(isClosed).toBe(false);
  await folders.end(1);
  expect(isClosed).toBe(true);
  expect(folders.begun).toEqual([0, 1]);
});
