import { expect, test } from "vitest";
import { overlapped } from "./overlap.ts";

interface Seen {
  readonly steps: string[];
  /** The most of them that were under way at once. */
  atOnce: number;
}

/** Pieces 1 to `count`; each step takes `turns` turns, by its name and piece. */
function run(
  count: number,
  turns: (step: string) => number,
  outcomeOf: (piece: number) => number | undefined = (piece) => piece,
): { readonly done: Promise<void>; readonly seen: Seen } {
  const seen: Seen = { steps: [], atOnce: 0 };
  let underWay = 0;
  const step = async <Result>(name: string, result: () => Result): Promise<Result> => {
    seen.steps.push(name);
    underWay += 1;
    seen.atOnce = Math.max(seen.atOnce, underWay);
    try {
      for (let left = turns(name); left > 0; left--) await Promise.resolve();
      return result();
    } finally {
      underWay -= 1;
    }
  };
  let next = 0;
  const done = overlapped<number, number>({
    read: () => step(`read ${++next}`, () => (next > count ? undefined : next)),
    work: (piece) => step(`work ${piece}`, () => outcomeOf(piece)),
    take: (outcome) => step(`take ${outcome}`, () => undefined),
  }).finally(() => {
    expect(underWay).toBe(0);
  });
  return { done, seen };
}

test.each([
  ["the work", (name: string) => (name.startsWith("work") ? 20 : 1)],
  ["what is beside it", (name: string) => (name.startsWith("work") ? 1 : 20)],
])(
  "each piece is read, worked on and taken once, in order, when %s takes long",
  async (_, turns) => {
    const { done, seen } = run(4, turns);
    await done;
    for (const kind of ["read", "work", "take"]) {
      const pieces = seen.steps.filter((name) => name.startsWith(kind));
      const more = kind === "read" ? [`${kind} 5`] : [];
      expect(pieces).toEqual([1, 2, 3, 4].map((piece) => `${kind} ${piece}`).concat(more));
    }
    expect(seen.atOnce).toBe(2);
    const at = (name: string): number => seen.steps.indexOf(name);
    expect(at("work 2")).toBeLessThan(at("take 1"));
    expect(at("take 1")).toBeLessThan(at("read 3"));
  },
);

test("nothing is worked on or taken behind an outcome that wants no more", async () => {
  const { done, seen } = run(
    9,
    () => 1,
    (piece) => (piece === 3 ? undefined : piece),
  );
  await done;
  expect(seen.steps.filter((name) => !name.startsWith("read"))).toEqual([
    "work 1",
    "work 2",
    "take 1",
    "work 3",
    "take 2",
  ]);
});

test("no pieces are no work", async () => {
  const { done, seen } = run(0, () => 1);
  await done;
  expect(seen.steps).toEqual(["read 1"]);
});

test.each(["read 3", "work 2", "take 1", "take 4"])(
  "what fails in %s is said when nothing is under way any more, and nothing follows",
  async (failing) => {
    const { done, seen } = run(4, (name) => {
      if (name === failing) throw new Error(name);
      return 10;
    });
    await expect(done).rejects.toThrow(failing);
    const after = seen.steps.slice(seen.steps.indexOf(failing) + 1);
    expect(after).toEqual(failing === "work 2" ? ["take 1", "read 3"] : []);
  },
);
