import { inlineHashing, SeededRandom } from "@millrace/adapter-memory";
import { isPasswordOf, MetadataError, scramMechanisms, stretched } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { MemberClusters } from "../../../../test/fixtures/member-clusters.ts";
import { openTestCluster, settled } from "../../../../test/fixtures/test-cluster.ts";
import type { Users } from "../../cluster/users.ts";
import { makeFirstAdmin } from "./first-admin.ts";

const admin = { user: "root", password: "first" };

function make(users: Users, who: typeof admin = admin): ReturnType<typeof makeFirstAdmin> {
  const random = new SeededRandom(9);
  return makeFirstAdmin({ cluster: { users }, hashing: inlineHashing, random }, who);
}

async function opens(users: Users, password: string): Promise<readonly boolean[]> {
  const credentials = users.find("root")?.credentials;
  return Promise.all(
    scramMechanisms.map(async (mechanism) => {
      const keys = credentials?.get(mechanism)?.keys;
      if (keys === undefined) return false;
      const saltedPassword = await stretched(inlineHashing, mechanism, { ...keys, password });
      return isPasswordOf(inlineHashing, mechanism, { keys, saltedPassword });
    }),
  );
}

describe("the first admin", () => {
  it("is made for every mechanism, once, and keeps the password that it has", async () => {
    const { clock, cluster } = await openTestCluster();
    expect(await settled(clock, make(cluster.users))).toBe("made");
    expect(await opens(cluster.users, "first")).toEqual([true, true]);
    expect(await settled(clock, make(cluster.users, { ...admin, password: "second" }))).toBe(
      "exists",
    );
    expect(await opens(cluster.users, "first")).toEqual([true, true]);
  });

  it("is one, where several brokers start at once", async () => {
    const all = new MemberClusters();
    const a = (await all.join(1)).cluster.users;
    const b = (await all.join(2)).cluster.users;
    await all.advance(10_000);
    const both = Promise.all([make(a), make(b, { ...admin, password: "second" })]);
    const outcomes = await all.settled(both);
    expect(outcomes.toSorted()).toEqual(["exists", "made"]);
    expect(a.find("root")).toEqual(b.find("root"));
    const password = outcomes[0] === "made" ? "first" : "second";
    expect(await opens(a, password)).toEqual([true, true]);
  });

  it("is not taken for made where the store does not answer", async () => {
    const { clock, cluster, store } = await openTestCluster();
    store.rates = { perThousand: { throttled: 1000 } };
    await expect(settled(clock, make(cluster.users))).rejects.toThrow(MetadataError);
    expect(cluster.users.find("root")).toBeUndefined();
  });

  it("has a name that users may have", async () => {
    const { clock, cluster } = await openTestCluster();
    const nameless = { ...admin, user: "x".repeat(201) };
    await expect(settled(clock, make(cluster.users, nameless))).rejects.toThrow(
      "millrace.admin.user",
    );
  });
});
