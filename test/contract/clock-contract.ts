import type { Clock } from "@millrace/core";
import { describe, expect, test } from "vitest";

export interface ClockSubject {
  readonly name: string;
  readonly clock: Clock;
  /** Lets `ms` pass on this clock. */
  pass(ms: number): Promise<void>;
}

/** What every Clock does. */
export function clockContract(open: () => ClockSubject): void {
  describe(`${open().name} clock`, () => {
    test("fires a timer once, not before its time, and never within the call", async () => {
      const { clock, pass } = open();
      const firedAtMs: number[] = [];
      const startMs = clock.monotonicMs();
      clock.after(0, () => firedAtMs.push(clock.monotonicMs()));
      clock.after(20, () => firedAtMs.push(clock.monotonicMs()));
      expect(firedAtMs).toEqual([]);
      await pass(60);
      expect(firedAtMs).toHaveLength(2);
      // A millisecond of grace: a real timer counts whole ones.
      expect((firedAtMs[1] ?? 0) - startMs).toBeGreaterThanOrEqual(19);
    });

    test("gives everybody else a turn before a delay of 0 is over", async () => {
      const { clock, pass } = open();
      const happened: string[] = [];
      clock.after(0, () => {
        happened.push("first");
        clock.after(0, () => happened.push("third"));
      });
      clock.after(0, () => happened.push("second"));
      const cancelled = clock.after(0, () => happened.push("cancelled"));
      cancelled.cancel();
      await pass(5);
      expect(happened).toEqual(["first", "second", "third"]);
    });

    test("does not fire what was cancelled; cancelling twice or late is no matter", async () => {
      const { clock, pass } = open();
      const fired: string[] = [];
      const cancelled = clock.after(5, () => fired.push("cancelled"));
      const early = clock.after(1, () => fired.push("early"));
      cancelled.cancel();
      cancelled.cancel();
      await pass(30);
      early.cancel();
      expect(fired).toEqual(["early"]);
    });

    test("takes a delay beyond 2^31 ms for what it is", async () => {
      const { clock, pass } = open();
      let fired = false;
      const timer = clock.after(2 ** 40, () => {
        fired = true;
      });
      await pass(10);
      timer.cancel();
      expect(fired).toBe(false);
    });

    test("has a monotonic time that does not go back, and a wall time in this century", async () => {
      const { clock, pass } = open();
      const before = clock.monotonicMs();
      await pass(5);
      expect(clock.monotonicMs()).toBeGreaterThanOrEqual(before);
      expect(clock.wallMs()).toBeGreaterThan(Date.UTC(2001, 0, 1));
      expect(clock.wallMs()).toBeLessThan(Date.UTC(2101, 0, 1));
    });
  });
}
