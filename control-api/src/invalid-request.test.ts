import { expect, it } from "vitest";
import { controlKit } from "./fixtures.ts";
import { problemDetailCharactersMax, problemPlacesMax } from "./limits.ts";

const properties = (count: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`p${at}`, at]));

it("names a bounded number of the places that are wrong, and is short about each", async () => {
  const { ask } = controlKit();
  // As many as a body has room for: an answer that told all of each would have gigabytes.
  const body = { name: "x", role: "viewer", ...properties(15_000) };
  const startedMs = performance.now();
  const { body: problem, status, text } = await ask("admin", "POST /v1/api-keys", { body });
  expect(status).toBe(400);
  expect(performance.now() - startedMs).toBeLessThan(2_000);
  const errors = problem["errors"] as readonly { pointer: string; detail: string }[];
  expect(errors).toHaveLength(problemPlacesMax);
  expect(errors[1]?.pointer).toBe("/p1");
  for (const { detail } of errors) expect(detail).toHaveLength(problemDetailCharactersMax + 1);
  expect(text.length).toBeLessThan(2 * problemPlacesMax * problemDetailCharactersMax);
});

it("counts places of one kind and of several alike", async () => {
  const { ask } = controlKit();
  const resets = Array.from({ length: problemPlacesMax }, () => ({ ...properties(3), to: "end" }));
  const path = "POST /v1/clusters/cl_0000000000000000/groups/g/offsets";
  const { body, status } = await ask("admin", path, { body: { resets } });
  expect(status).toBe(400);
  expect(body["errors"]).toHaveLength(problemPlacesMax);
});
