import { expect, test } from "vitest";
import { later, nowMs, retrying, sleep, withSignal } from "./timing.ts";

test("what comes later never comes before its time, by the clock that is read", async () => {
  const early: number[] = [];
  const waits = Array.from({ length: 300 }, (_, i) => {
    const delayMs = 1 + (i % 7) + i / 301;
    const dueMs = nowMs() + delayMs;
    return new Promise<void>((resolve) =>
      later(delayMs, () => {
        if (nowMs() < dueMs) early.push(dueMs - nowMs());
        resolve();
      }),
    );
  });
  await Promise.all(waits);
  expect(early).toEqual([]);
});

test("what is called off does not come", async () => {
  let came = false;
  const callOff = later(5, () => {
    came = true;
  });
  callOff();
  await sleep(20);
  expect(came).toBe(false);
});

test("a signal ends a wait with its reason, and leaves no rejection behind", async () => {
  const stop = new AbortController();
  const waiting = withSignal(new Promise(() => undefined), stop.signal);
  const reason = new Error("enough");
  stop.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(withSignal(Promise.reject(new Error("late")), stop.signal)).rejects.toBe(reason);
  await expect(sleep(60_000, stop.signal)).rejects.toBe(reason);
});

test("tries again what may pass, until the time is up", async () => {
  let calls = 0;
  const call = () => {
    calls += 1;
    return calls < 3 ? Promise.reject(new Error(`failure ${calls}`)) : Promise.resolve(calls);
  };
  expect(await retrying(call, { forMs: 5_000, retriable: () => true })).toBe(3);
  calls = 0;
  await expect(retrying(call, { forMs: 5_000, retriable: () => false })).rejects.toThrow(
    "failure 1",
  );
  calls = -100;
  await expect(retrying(call, { forMs: 60, retriable: () => true })).rejects.toThrow("failure");
});
