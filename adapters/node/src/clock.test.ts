import { describe, expect, it } from "vitest";
import { SystemClock } from "./clock.ts";
import { SystemRandom } from "./random.ts";

describe("the system clock", () => {
  it("fires later, never within the call, unless cancelled", async () => {
    const clock = new SystemClock();
    const fired: string[] = [];
    const startMs = clock.monotonicMs();
    await new Promise<void>((resolve) => {
      clock.after(20, resolve);
      clock.after(0, () => fired.push("soon"));
      clock.after(5, () => fired.push("cancelled")).cancel();
      expect(fired).toEqual([]);
    });
    expect(fired).toEqual(["soon"]);
    expect(clock.monotonicMs() - startMs).toBeGreaterThan(15);
  });

  it("does not fire a timer at once because it is very far away", async () => {
    const clock = new SystemClock();
    let fired = false;
    const timer = clock.after(2 ** 40, () => {
      fired = true;
    });
    await new Promise<void>((resolve) => {
      clock.after(10, resolve);
    });
    timer.cancel();
    expect(fired).toBe(false);
  });
});

describe("the system's randomness", () => {
  it("gives bytes in a buffer of their own, and numbers below the limit", () => {
    const random = new SystemRandom();
    const bytes = random.bytes(16);
    expect(bytes.buffer.byteLength).toBe(16);
    expect(random.bytes(16)).not.toEqual(bytes);
    expect(random.below(1)).toBe(0);
    expect(random.below(2 ** 32)).toBeLessThan(2 ** 32);
  });
});
