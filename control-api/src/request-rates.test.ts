import { MemoryMetadataStore, VirtualClock } from "@millrace/adapter-memory";
import { describe, expect, it } from "vitest";
import { controlKit } from "./fixtures.ts";
import { ratedPrincipalsMax, requestBurstMax, requestsPerSecond } from "./limits.ts";
import { RequestRates } from "./request-rates.ts";

function kit() {
  const clock = new VirtualClock();
  const pass = (ms: number): void => {
    clock.after(ms, () => undefined);
    clock.fireNext();
  };
  const rates = new RequestRates({ clock });
  /** As many requests as are taken of so many. */
  const taken = (id: string, tries: number): number =>
    Array.from({ length: tries }, () => rates.take({ kind: "apiKey", id })).filter(
      ({ kind }) => kind === "taken",
    ).length;
  return { clock, pass, rates, taken };
}

describe("how often a principal may ask", () => {
  it("is a burst, and then a rate", () => {
    const { pass, rates, taken } = kit();
    expect(taken("a", requestBurstMax + 5)).toBe(requestBurstMax);
    const refused = rates.take({ kind: "apiKey", id: "a" });
    expect(refused).toEqual({ kind: "tooMany", retryAfterMs: 1_000 / requestsPerSecond });
    pass(1_000);
    expect(taken("a", requestBurstMax)).toBe(requestsPerSecond);
    pass(60 * 60 * 1_000);
    expect(taken("a", 2 * requestBurstMax)).toBe(requestBurstMax);
  });

  it("is its own, and another kind of principal is another one", () => {
    const { rates, taken } = kit();
    taken("a", requestBurstMax);
    expect(taken("b", 1)).toBe(1);
    expect(rates.take({ kind: "user", id: "a" })).toEqual({ kind: "taken" });
    expect(taken("a", 1)).toBe(0);
  });

  it("is forgotten of the least recent one when there are too many", () => {
    const { taken } = kit();
    taken("first", requestBurstMax);
    for (let at = 0; at < ratedPrincipalsMax - 1; at += 1) taken(`other ${at}`, 1);
    expect(taken("first", 1)).toBe(0);
    taken("one more", 1);
    expect(taken("first", 1)).toBe(1);
  });
});

describe("too many requests", () => {
  it("are answered by a problem that says when to come again", async () => {
    const { rates, taken } = kit();
    const { ask } = controlKit({ requestRates: rates });
    taken("viewer", requestBurstMax);
    const refused = await ask("viewer", "GET /v1/whoami");
    expect(refused).toMatchObject({
      ...{ status: 429, body: { type: "/docs/problems#too-many-requests" } },
    });
    expect(refused.headers.get("retry-after")).toBe("1");
    expect((await ask("admin", "GET /v1/whoami")).status).toBe(200);
    expect((await ask("nobody", "GET /v1/whoami")).status).toBe(401);
  });

  it("have no effect, and take no Idempotency-Key", async () => {
    const { clock, pass, rates, taken } = kit();
    expect(clock.monotonicMs()).toBe(0);
    const store = new MemoryMetadataStore();
    const { ask } = controlKit({ requestRates: rates, store });
    const body = { name: "dashboard", role: "viewer" };
    const headers = { "idempotency-key": "a-key-that-nobody-guesses" };
    taken("admin", requestBurstMax);
    const make = () => ask("admin", "POST /v1/api-keys", { body, headers });
    expect((await make()).status).toBe(429);
    pass(1_000);
    expect((await make()).status).toBe(201);
  });
});
