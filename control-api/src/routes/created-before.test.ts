import { expect, it } from "vitest";
import { begun, wanted, World } from "../operations/fixtures.ts";
import { createdBefore } from "./cluster-refusals.ts";

it("a repeat finds the cluster of its former try, in whatever order its limits were named", async () => {
  const { clock, clusters } = new World();
  const startedMs = clock.wallMs();
  const limits = { "message.max.bytes": "2000000", "group.max.size": "50" };
  const asked = { ...wanted, spec: { ...wanted.spec, limits } };
  const { cluster } = begun(await clusters.create(asked));
  const refusal = await clusters.create(asked);
  if (refusal.kind !== "nameTaken") throw new Error("the name is taken");
  const found = await createdBefore(clusters, { wanted: asked, startedMs }, refusal);
  expect(found.id).toBe(cluster.id);
});

it("a repeat takes no other's cluster for its own: an older one, or of another size", async () => {
  const { clock, clusters } = new World();
  begun(await clusters.create(wanted));
  const refusal = await clusters.create(wanted);
  if (refusal.kind !== "nameTaken") throw new Error("the name is taken");
  const later = { wanted, startedMs: clock.wallMs() + 1 };
  await expect(createdBefore(clusters, later, refusal)).rejects.toThrow("has this name");
  const spec = { ...wanted.spec, brokers: 3 };
  const other = { wanted: { ...wanted, spec }, startedMs: clock.wallMs() };
  await expect(createdBefore(clusters, other, refusal)).rejects.toThrow("has this name");
});
