import { expect, test } from "vitest";
import { groupSegments } from "./segment-groups.ts";

const bounds = { segmentBytes: 100, segmentIndexBytes: 1000, offsetSpanMax: 1000 };

function groupsOf(
  segments: readonly { readonly bytes: number; readonly span?: number; readonly index?: number }[],
): readonly number[] {
  let baseOffset = 0;
  const listed = segments.map(({ bytes, index = 1, span = 10 }) => {
    const segment = { baseOffset, sizeBytes: bytes, indexBytes: index };
    baseOffset += span;
    return { ...segment, endOffset: baseOffset };
  });
  const groups = groupSegments(listed, bounds);
  expect(groups.flat()).toEqual(listed);
  return groups.map((group) => group.length);
}

test("neighbours become one as long as their bytes fit", () => {
  const bytes = [40, 40, 20, 1, 100, 500, 30, 30].map((each) => ({ bytes: each }));
  expect(groupsOf(bytes)).toEqual([3, 1, 1, 1, 2]);
});

test("their indexes have to fit, too", () => {
  expect(groupsOf([600, 400, 1].map((index) => ({ bytes: 1, index })))).toEqual([2, 1]);
});

test("so has the span of their offsets, but for an empty one", () => {
  const spans = [500, 501, 500].map((span) => ({ bytes: 1, span }));
  expect(groupsOf(spans)).toEqual([2, 1]);
  const wide = [{ bytes: 1 }, { bytes: 0, span: 5000 }, { bytes: 0, span: 5000 }, { bytes: 1 }];
  expect(groupsOf(wide)).toEqual([3, 1]);
});

test("none are none", () => {
  expect(groupsOf([])).toEqual([]);
});
