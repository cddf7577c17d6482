import { expect, it } from "vitest";
import { SharedSyncs } from "./shared-syncs.ts";

function kit() {
  const begun: { readonly path: string; readonly end: (error?: Error) => void }[] = [];
  const syncs = new SharedSyncs(
    (path) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error): void => (error === undefined ? resolve() : reject(error));
        begun.push({ path, end });
      }),
  );
  const ended: string[] = [];
  const run = (path: string, name: string): void => {
    syncs.run(path).then(
      () => ended.push(name),
      (error: unknown) => ended.push(`${name}: ${String(error)}`),
    );
  };
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { begun, ended, run, turn };
}

it("whoever comes while a folder is synced shares the next sync, and never the one under way", async () => {
  const { begun, ended, run, turn } = kit();
  run("a", "first");
  run("a", "second");
  run("a", "third");
  await turn();
  expect(begun.length).toBe(1);
  begun[0]?.end();
  await turn();
  expect(ended).toEqual(["first"]);
  expect(begun.length).toBe(2);
  run("a", "fourth");
  begun[1]?.end();
  await turn();
  expect(ended).toEqual(["first", "second", "third"]);
  begun[2]?.end();
  await turn();
  expect(ended).toEqual(["first", "second", "third", "fourth"]);
  run("a", "fifth");
  expect(begun.length).toBe(4);
});

it("folders do not wait for each other", async () => {
  const { begun, ended, run, turn } = kit();
  run("a", "first");
  run("b", "second");
  begun[1]?.end();
  await turn();
  expect(begun.map(({ path }) => path)).toEqual(["a", "b"]);
  expect(ended).toEqual(["second"]);
});

it("a sync that fails fails those who wait for it, and not the next", async () => {
  const { begun, ended, run, turn } = kit();
  run("a", "first");
  run("a", "second");
  run("a", "third");
  begun[0]?.end(new Error("EIO"));
  await turn();
  begun[1]?.end(new Error("EIO again"));
  await turn();
  run("a", "fourth");
  begun[2]?.end();
  await turn();
  const again = "Error: EIO again";
  expect(ended).toEqual(["first: Error: EIO", `second: ${again}`, `third: ${again}`, "fourth"]);
});
