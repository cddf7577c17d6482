import { describe, expect, it } from "vitest";
import { brokerId, epoch, type IncarnationId, incarnationId, slot } from "../ids.ts";
import type { Item, ItemValue } from "../ports/metadata-store.ts";
import { formatItem, readFormat } from "./format.ts";
import { type Claimant, decideClaim, decideDrop, readHead, type Source } from "./head.ts";
import { keys } from "./keys.ts";
import { leadershipItem, readLeadership } from "./leadership-item.ts";
import { leaderOf, newIncarnationId, takeEverySlot } from "./leadership.ts";

const item = (key: string, value: ItemValue, version = 1): Item => ({ key, value, version });
const life = (n: number): IncarnationId => incarnationId(`${n}-${"ab".repeat(16)}`);

function claimant(n: number, closed: readonly number[] = []): Claimant {
  const isSpent = ({ incarnation }: Source): boolean => {
    return closed.some((other) => life(other) === incarnation);
  };
  const isOver = (): boolean => true;
  return { slot: slot(3), incarnation: life(n), epoch: epoch(n), isSpent, isOver };
}

/** The head after life `n` claimed it, given what was there. */
function claimed(before: Item | undefined, by: Claimant): Item {
  const claim = decideClaim(before, by);
  if (claim.kind !== "write" || claim.write.kind !== "put") throw new Error(claim.kind);
  return item(claim.write.key, claim.write.value);
}

describe("a slot's head", () => {
  it("is created on condition of absence", () => {
    expect(decideClaim(undefined, claimant(1))).toEqual({
      kind: "write",
      epoch: 1,
      write: {
        kind: "put",
        key: keys.head(slot(3)),
        value: { owner: life(1), epoch: 1, sources: [] },
        condition: { is: "absent" },
      },
    });
  });

  it("is held without a write by whom it names already", () => {
    const mine = claimed(undefined, claimant(2));
    expect(decideClaim(mine, claimant(2))).toEqual({ kind: "held", epoch: 2 });
  });

  it("is taken over exactly as it was read, with the former owner as a source", () => {
    const theirs = { ...claimed(undefined, claimant(1)), version: 5 };
    const claim = decideClaim(theirs, claimant(2));
    expect(claim).toMatchObject({
      kind: "write",
      write: { condition: { is: "version", version: 5 } },
    });
    const head = readHead(claimed(theirs, claimant(2)));
    expect(head.sources).toEqual([{ incarnation: life(1), epoch: 1 }]);
  });

  it("drops sources that are spent, and keeps the others", () => {
    const second = claimed(claimed(undefined, claimant(1)), claimant(2));
    const third = claimed(second, claimant(3, [2]));
    expect(readHead(third).sources).toEqual([{ incarnation: life(1), epoch: 1 }]);
    expect(readHead(claimed(second, claimant(3, [1, 2]))).sources).toEqual([]);
  });

  it("loses its spent sources by a second write, while it is the owner's", () => {
    const second = claimed(claimed(undefined, claimant(1)), claimant(2));
    const drop = { ...claimant(2, [1]), heldAt: epoch(2) };
    const write = decideDrop(second, drop);
    expect(write).toMatchObject({
      key: keys.head(slot(3)),
      value: { owner: life(2), epoch: 2, sources: [] },
      condition: { is: "version", version: second.version },
    });
    expect(decideDrop(claimed(second, claimant(3)), drop)).toBeUndefined();
    expect(decideDrop(undefined, drop)).toBeUndefined();
  });

  it("is never taken from a newer epoch, nor from another owner of the same one", () => {
    const theirs = claimed(undefined, claimant(4));
    expect(decideClaim(theirs, claimant(3)).kind).toBe("fenced");
    const twin = { ...claimant(4), incarnation: life(9) };
    expect(decideClaim(theirs, twin).kind).toBe("fenced");
  });

  it("is not taken over when it would have too many sources", () => {
    let head = claimed(undefined, claimant(1));
    for (const n of [2, 3, 4, 5]) head = claimed(head, claimant(n));
    expect(readHead(head).sources).toHaveLength(4);
    expect(decideClaim(head, claimant(6)).kind).toBe("tooManySources");
    expect(decideClaim(head, claimant(6, [1])).kind).toBe("write");
  });
});

describe("leadership", () => {
  it("gives every start a new incarnation and a new epoch", () => {
    const bits = "cd".repeat(16);
    expect(newIncarnationId(undefined, bits)).toBe(`1-${bits}`);
    const owner = { brokerId: brokerId(1), incarnation: life(1), slots: 8 };
    const first = takeEverySlot(undefined, owner);
    expect(newIncarnationId(first, bits)).toBe(`2-${bits}`);
    const second = takeEverySlot(first, { ...owner, incarnation: life(2) });
    expect([first.epoch, second.epoch]).toEqual([1, 2]);
    const leader = { brokerId: 1, incarnation: life(2), epoch: 2 };
    for (let n = 0; n < 8; n += 1) expect(leaderOf(second, slot(n))).toEqual(leader);
    expect(leaderOf(second, slot(8))).toBeUndefined();
    const written = leadershipItem(second, 1);
    expect(written).toEqual({
      epoch: 2,
      incarnations: 2,
      assignments: [{ firstSlot: 0, lastSlot: 7, broker: 1, incarnation: life(2), epoch: 2 }],
    });
    expect(readLeadership(item("leadership", written), 8)).toEqual(second);
    const listed = leadershipItem(second, 2);
    expect(listed["assignments"]).toEqual([
      { slots: "0-7", broker: 1, incarnation: life(2), epoch: 2 },
    ]);
    expect(readLeadership(item("leadership", listed), 8)).toEqual(second);
  });

  it("is not read from a damaged item", () => {
    const damaged = { epoch: 1, incarnations: 1, assignments: [{ firstSlot: 0 }] };
    expect(() => readLeadership(item("leadership", damaged), 8)).toThrow(/cannot be read/);
  });
});

describe("the format of a data directory", () => {
  it("is read back", () => {
    const format = { version: 1, clusterId: "x".repeat(22), slots: 1024 };
    expect(readFormat(item("format", formatItem(format)))).toEqual({ ok: true, format });
  });

  it("is refused when it is newer, or makes no sense, with a sentence for the operator", () => {
    const newer = readFormat(item("format", { version: 2, clusterId: "x", slots: 8, more: true }));
    expect(newer).toEqual({
      ok: false,
      message:
        "the data directory has format 2, which this version of Millrace (format 1) cannot read: " +
        "start it with a newer version",
    });
    expect(readFormat(item("format", {}))).toMatchObject({ ok: false });
    expect(readFormat(item("format", { version: 1, slots: 0 }))).toMatchObject({ ok: false });
  });
});
