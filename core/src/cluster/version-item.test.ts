import { changedKeysMax, type Item, keys } from "@millrace/core";
import { expect, it } from "vitest";
import { changedSince, readVersion, versionMoved } from "./version-item.ts";

function written(changed: readonly string[], version: number): Item {
  const write = versionMoved(changed);
  if (write.kind !== "put") throw new Error(write.kind);
  return { key: keys.version, version, value: write.value };
}

it("the version item tells what its newest step changed, to who saw the step before", () => {
  const seen = readVersion(written(["topic/a"], 7));
  expect(changedSince(7, seen)).toEqual([]);
  expect(changedSince(6, seen)).toEqual(["topic/a"]);
  expect(changedSince(5, seen)).toBeUndefined();
  expect(changedSince(8, seen)).toBeUndefined();
});

it("a step of the version item that changes very much names nothing", () => {
  const most = Array.from({ length: changedKeysMax }, (_, n) => `topic/${n}`);
  expect(readVersion(written(most, 1)).changed).toEqual(most);
  expect(readVersion(written([...most, "topic/x"], 1)).changed).toBeUndefined();
  expect(readVersion({ key: keys.version, version: 3, value: {} })).toEqual({
    version: 3,
    changed: undefined,
  });
  expect(readVersion(undefined).version).toBe(0);
});
