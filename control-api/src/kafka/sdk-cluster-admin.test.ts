import { expect, it } from "vitest";
import type { Admin } from "../../../sdk/src/index.ts";
import { sdkClusterAdmin } from "./sdk-cluster-admin.ts";

it("finds each partition's first offset without looking at all of them for it", async () => {
  let looks = 0;
  const partitions = 10_000;
  const offsets: Admin["offsets"] = async (_, at) =>
    Array.from({ length: partitions }, (_one, index) => ({
      get partition() {
        looks += 1;
        return index;
      },
      ...{ topic: "wide", offset: at === "earliest" ? 3 : 8, leaderEpoch: 0, timestamp: -1 },
    })) as Awaited<ReturnType<Admin["offsets"]>>;
  const admin = sdkClusterAdmin({ offsets } as unknown as Admin, () => undefined);
  const found = await admin.offsets("wide");
  expect(found).toHaveLength(partitions);
  expect(found.at(-1)).toEqual({ partition: 9_999, earliestOffset: 3, latestOffset: 8 });
  expect(looks).toBeLessThanOrEqual(4 * partitions);
});
