import { describe, expect, it } from "vitest";
import { epoch, type IncarnationId, incarnationId, slot } from "../ids.ts";
import type { Item, ItemValue } from "../ports/metadata-store.ts";
import {
  type Claimant,
  decideClaim,
  decideDrop,
  decideRelease,
  headNames,
  readHead,
  type SlotOwner,
} from "./head.ts";
import { keys } from "./keys.ts";

const life = (n: number): IncarnationId => incarnationId(`${n}-${"ab".repeat(16)}`);
const key = keys.head(slot(3));
const headOf = (value: ItemValue, version = 7): Item => ({ key, version, value });
const source = (n: number, at: number) => ({ incarnation: life(n), epoch: at });
const released = (n: number, at: number) => ({ ...source(n, at), released: true as const });

function owner(n: number, at: number): SlotOwner {
  return { slot: slot(3), incarnation: life(n), epoch: epoch(at) };
}

function claimant(n: number, at: number, over: readonly number[] = []): Claimant {
  const isOver = (one: IncarnationId): boolean => over.some((other) => life(other) === one);
  return { ...owner(n, at), isSpent: () => false, isOver };
}

describe("a claim", () => {
  it("waits until the owner's journal is closed", () => {
    const item = headOf({ owner: life(1), epoch: 4, sources: [] });
    expect(decideClaim(item, claimant(2, 5))).toEqual({ kind: "fenceFirst", owner: life(1) });
    expect(decideClaim(item, claimant(2, 5, [1]))).toMatchObject({
      kind: "write",
      write: {
        value: { owner: life(2), epoch: 5, sources: [source(1, 4)] },
        condition: { is: "version", version: 7 },
      },
    });
  });

  it("of a slot that was handed over needs no fence, and keeps what was released", () => {
    const item = headOf({ owner: null, epoch: 4, sources: [released(1, 4)] });
    for (const n of [1, 2]) {
      expect(decideClaim(item, claimant(n, 5))).toMatchObject({
        kind: "write",
        write: { value: { owner: life(n), epoch: 5, sources: [released(1, 4)] } },
      });
    }
  });

  it("of what this incarnation released needs a newer epoch", () => {
    const item = headOf({ owner: null, epoch: 4, sources: [released(1, 4)] });
    expect(decideClaim(item, claimant(1, 4))).toEqual({ kind: "released" });
    expect(decideClaim(item, claimant(2, 4)).kind).toBe("fenced");
    expect(decideClaim(item, claimant(1, 3)).kind).toBe("fenced");
  });

  it("of what this incarnation still owns at an older epoch waits for its release", () => {
    const item = headOf({ owner: life(1), epoch: 4, sources: [] });
    expect(decideClaim(item, claimant(1, 6))).toEqual({ kind: "releaseFirst", epoch: 4 });
  });

  it("lists nothing that was copied before, if it was copied of this very head", () => {
    const sources = [source(1, 1), source(2, 2), source(3, 3), source(4, 4)];
    const item = headOf({ owner: life(5), epoch: 5, sources });
    const me = claimant(6, 8, [5]);
    expect(decideClaim(item, me).kind).toBe("tooManySources");
    expect(decideClaim(item, { ...me, copiedVersion: 7 })).toMatchObject({
      write: { value: { owner: life(6), epoch: 8, sources: [] } },
    });
    expect(decideClaim(item, { ...me, copiedVersion: 6 })).toEqual({ kind: "copyAgain" });
    const later = headOf({ owner: null, epoch: 7, sources: [released(5, 7)] }, 9);
    expect(decideClaim(later, { ...me, copiedVersion: 7 })).toEqual({ kind: "copyAgain" });
  });

  it("by one of many sources is not preceded by a copy, which would hide what the head names", () => {
    const sources = [released(1, 1), source(2, 2), source(3, 3), source(4, 4)];
    const item = headOf({ owner: life(5), epoch: 5, sources });
    expect(decideClaim(item, claimant(1, 8, [5]))).toMatchObject({
      write: { value: { owner: life(1), epoch: 8, sources: [...sources, source(5, 5)] } },
    });
  });
});

describe("a release", () => {
  it("leaves no owner, and the former one as a source that is released", () => {
    const item = headOf({ owner: life(2), epoch: 5, sources: [source(1, 4)] });
    expect(decideRelease(item, owner(2, 5))).toEqual({
      kind: "write",
      write: {
        kind: "put",
        key,
        value: { owner: null, epoch: 5, sources: [source(1, 4), released(2, 5)] },
        condition: { is: "version", version: 7 },
      },
    });
  });

  it("is done once: a reply that was lost is found in the head", () => {
    const item = headOf({ owner: null, epoch: 5, sources: [released(2, 5)] });
    expect(decideRelease(item, owner(2, 5))).toEqual({ kind: "released" });
    const taken = headOf({ owner: life(3), epoch: 6, sources: [released(2, 5)] });
    expect(decideRelease(taken, owner(2, 5)).kind).toBe("lost");
  });

  it("is not another's, nor of another epoch", () => {
    const item = headOf({ owner: life(2), epoch: 5, sources: [] });
    expect(decideRelease(item, owner(3, 5)).kind).toBe("lost");
    expect(decideRelease(item, owner(2, 6)).kind).toBe("lost");
    expect(decideRelease(undefined, owner(2, 5))).toEqual({ kind: "lost", by: undefined });
  });

  it("waits until some of four sources are dropped", () => {
    const sources = [source(1, 1), source(2, 2), source(3, 3), source(4, 4)];
    const item = headOf({ owner: life(5), epoch: 5, sources });
    expect(decideRelease(item, owner(5, 5)).kind).toBe("tooManySources");
  });
});

describe("a drop of sources", () => {
  const item = headOf({ owner: life(2), epoch: 5, sources: [source(1, 3), released(2, 4)] });

  it("needs a copy at the owner's present epoch: one of an earlier epoch tells less", () => {
    const drop = { ...owner(2, 5), isSpent: () => true };
    expect(decideDrop(item, { ...drop, heldAt: epoch(4) })).toBeUndefined();
    expect(decideDrop(item, { ...drop, heldAt: epoch(5) })).toMatchObject({
      value: { owner: life(2), epoch: 5, sources: [] },
      condition: { is: "version", version: 7 },
    });
  });

  it("leaves what is not copied, and writes nothing where nothing goes", () => {
    const drop = { ...owner(2, 5), heldAt: epoch(5) };
    const isSpent = ({ epoch: at }: { readonly epoch: number }): boolean => at === 3;
    expect(decideDrop(item, { ...drop, isSpent })).toMatchObject({
      value: { sources: [released(2, 4)] },
    });
    expect(decideDrop(item, { ...drop, isSpent: () => false })).toBeUndefined();
  });
});

describe("a head", () => {
  it("is read as it was written, released sources and all, and names whom it needs", () => {
    const head = readHead(
      headOf({ owner: null, epoch: 5, sources: [source(1, 3), released(2, 5)] }),
    );
    expect(head).toEqual({
      owner: undefined,
      epoch: 5,
      sources: [source(1, 3), released(2, 5)],
    });
    expect([1, 2, 3].map((n) => headNames(head, life(n)))).toEqual([true, true, false]);
    expect(headNames({ ...head, owner: life(3) }, life(3))).toBe(true);
  });
});
