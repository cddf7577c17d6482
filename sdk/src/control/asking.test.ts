import { afterEach, expect, test, vi } from "vitest";
import { backoffMsMax, controlRetryMsMax } from "../limits.ts";
import { controlPlane } from "./control-plane.ts";

afterEach(() => {
  vi.useRealTimers();
});

test.for(["control.example.com", "localhost:8080", "", "https://", "file:///etc"])(
  "'%s' is no address of a control plane, and nobody is asked in vain",
  (url) => {
    expect(() => controlPlane({ url })).toThrow("no address of a control plane");
  },
);

test("a control plane that is overloaded is asked again, until the time for that is over", async () => {
  vi.useFakeTimers();
  const times: number[] = [];
  const { clusters } = controlPlane({
    url: "https://control.example.com",
    fetch: async () => {
      times.push(performance.now());
      return new Response(null, { status: 503 });
    },
  });
  const begunMs = performance.now();
  const asked = expect(clusters.describe("cl_0000000000000001")).rejects.toMatchObject({
    status: 503,
  });
  await vi.advanceTimersByTimeAsync(2 * controlRetryMsMax);
  await asked;
  const lastMs = (times.at(-1) ?? 0) - begunMs;
  expect(lastMs).toBeLessThanOrEqual(controlRetryMsMax);
  // The next try would have been too late.
  expect(lastMs).toBeGreaterThan(controlRetryMsMax - backoffMsMax);
  const waits = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  expect(Math.max(...waits)).toBeLessThanOrEqual(backoffMsMax);
  expect(Math.max(...waits)).toBeGreaterThanOrEqual(backoffMsMax / 2);
});
