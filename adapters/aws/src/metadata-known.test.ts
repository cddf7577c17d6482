import { expect, it } from "vitest";
import { knownItemsMax } from "./limits.ts";
import { KnownStates } from "./metadata-known.ts";

it("forgets what was learnt first when it knows enough", () => {
  const known = new KnownStates();
  const learn = (n: number): void => {
    known.written({ kind: "put", key: `key/${n}`, value: {} }, `write-${n}`);
  };
  for (let n = 0; n < knownItemsMax; n += 1) learn(n);
  learn(0);
  learn(knownItemsMax);
  expect(known.get("key/1")).toBeUndefined();
  expect(known.get("key/0")).toMatchObject({ writeId: "write-0" });
  expect(known.get(`key/${knownItemsMax}`)).toBeDefined();
});

it("knows versions and epochs by what was written, as far as conditions prove them", () => {
  const known = new KnownStates();
  const put = { kind: "put", key: "a", value: { epoch: 4 } } as const;
  known.written({ ...put, condition: { is: "absent" } }, "one");
  expect(known.get("a")).toEqual({ writeId: "one", version: 1, epoch: 4 });
  known.written({ ...put, condition: { is: "version", version: 8 } }, "two");
  expect(known.get("a")).toEqual({ writeId: "two", version: 9, epoch: 4 });
  known.written(put, "three", known.get("a"));
  expect(known.get("a")?.version).toBe(10);
  known.written(put, "four");
  expect(known.get("a")?.version).toBeUndefined();
  known.written({ kind: "check", key: "a", condition: { is: "absent" } }, "five");
  expect(known.get("a")?.writeId).toBe("four");
  known.written({ kind: "delete", key: "a" }, "six");
  expect(known.get("a")).toBeUndefined();
});
