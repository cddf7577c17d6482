/** Every limit of every `limits.ts` is met by a test, and this gate sees it when one is not. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { limitTests } from "./limit-tests.ts";
import { limitNames, type Tree, treeAt, uncoveredLimits } from "./limits-covered.ts";

const tree = treeAt(join(import.meta.dirname, "../.."));

test("every limit has a test that meets it, or a reason why nothing can", () => {
  expect(tree.limitFiles.length).toBeGreaterThanOrEqual(8);
  expect(uncoveredLimits(tree, limitTests)).toEqual([]);
});

const path = "core/src/x/limits.ts";
const oneLimit: Tree = {
  limitFiles: [path],
  read: (asked) =>
    asked === path
      ? "export const thingsMax = 5;\n"
      : 'test("stops at five things", () => undefined);\n',
};

test("a new limit without a test is red", () => {
  expect(uncoveredLimits(oneLimit, {})).toEqual([`${path}: no test is named for thingsMax`]);
});

test("a limit whose test is gone or renamed is red, and one whose test is there is green", () => {
  const line = (title: string) => ({
    [path]: { thingsMax: { outcome: "stops", file: "core/src/x/x.test.ts", title } },
  });
  expect(uncoveredLimits(oneLimit, line("stops at six things"))).toEqual([
    'thingsMax: core/src/x/x.test.ts has no test "stops at six things"',
  ]);
  expect(uncoveredLimits(oneLimit, line("stops at five things"))).toEqual([]);
});

test("a line for a limit that is no longer declared is red", () => {
  const table = { [path]: { thingsMax: { tuning: "why" }, gone: { tuning: "why" } } };
  expect(uncoveredLimits(oneLimit, table)).toEqual([
    `${path}: gone is in the table and not declared`,
  ]);
});

test("limits are read from numbers, from objects of numbers and from interfaces of numbers", () => {
  const source = [
    "export const plain = 5;",
    "export const typed: number = 2 * mebibyte;",
    "export const grouped = {",
    "  inObject: 67_108_864,",
    "} as const;",
    "export interface Limits {",
    "  readonly inInterface: number;",
    "}",
    "const own = 7;",
    "export function checked(limits: Limits): Limits {",
  ].join("\n");
  expect(limitNames(source)).toEqual(["plain", "typed", "inObject", "inInterface"]);
});
