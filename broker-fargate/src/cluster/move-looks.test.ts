import { epoch, incarnationId, type Leadership, noLeadership, type Slot } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { moveLookMs, moveLooksForMs } from "./limits.ts";
import { MoveLooks } from "./move-looks.ts";

const [self, other] = [incarnationId(`1-${"a".repeat(32)}`), incarnationId(`2-${"b".repeat(32)}`)];
const idle: Leadership = { ...noLeadership(4), epoch: epoch(1) };
const wished: Leadership = { ...idle, moves: [{ slots: [0 as Slot], from: other, to: self }] };
const never = Number.POSITIVE_INFINITY;

describe("looks while slots are to be moved", () => {
  it("come quickly, and for a moment longer, and then as before", () => {
    const looks = new MoveLooks();
    expect(looks.nextMs(idle, 1_000)).toBe(never);
    expect(looks.nextMs(wished, 1_000)).toBe(1_000 + moveLookMs);
    const lastMs = 1_000 + moveLooksForMs;
    expect(looks.nextMs(idle, lastMs - 1)).toBe(lastMs - 1 + moveLookMs);
    expect(looks.nextMs(idle, lastMs)).toBe(never);
    expect(looks.nextMs(wished, lastMs)).toBe(lastMs + moveLookMs);
  });

  it("tell the receiver once that its word is awaited", () => {
    const looks = new MoveLooks();
    expect(looks.isAwaited(wished, other)).toBe(false);
    const again = { ...wished };
    expect(looks.isAwaited(again, self)).toBe(true);
    expect(looks.isAwaited(again, self)).toBe(false);
    expect(looks.isAwaited(idle, self)).toBe(false);
  });
});
