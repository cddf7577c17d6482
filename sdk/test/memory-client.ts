/** A client of a `MemoryCluster`, and what tests need around it. */
import { MillraceClient } from "../src/connect.ts";
import type { StandardSchema } from "../src/schema.ts";
import type { MemoryCluster } from "./memory-cluster.ts";

export function clientOf(cluster: MemoryCluster): MillraceClient {
  return new MillraceClient(cluster.open, { brokers: ["memory:1"] });
}

/** A validator that nobody's library made: a string of digits, read as a number. */
export const digits: StandardSchema<string, number> = {
  "~standard": {
    version: 1,
    vendor: "by hand",
    validate: (value) =>
      typeof value === "string" && /^\d+$/.test(value)
        ? { value: Number(value) }
        : { issues: [{ message: "not a string of digits" }] },
  },
};

/** Waits until the condition holds; fails after 5 s. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
