import {
  FaultyMetadataStore,
  inlineHashing,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import {
  type CredentialChange,
  changedUser,
  type IncarnationId,
  incarnationId,
  keys,
  MetadataError,
  type MetadataStore,
  usersMax,
} from "@millrace/core";
import { beforeEach, describe, expect, it } from "vitest";
import { MemberClusters } from "../../../test/fixtures/member-clusters.ts";
import { openTestCluster, settled } from "../../../test/fixtures/test-cluster.ts";
import { OwnWrites } from "./own-writes.ts";
import { type GoneCredential, type UserOutcome, Users } from "./users.ts";

const mechanism = "SCRAM-SHA-512";

function apply(users: Users, name: string, change: CredentialChange): Promise<UserOutcome> {
  return users.change(name, (before, stamp) => changedUser(inlineHashing, before, change, stamp));
}

const set = (users: Users, name: string, fill = 1): Promise<UserOutcome> => {
  const secret = { salt: Uint8Array.of(fill), iterations: 4096 };
  const saltedPassword = new Uint8Array(64).fill(fill);
  return apply(users, name, { kind: "set", mechanism, ...secret, saltedPassword });
};
const remove = (users: Users, name: string): Promise<UserOutcome> =>
  apply(users, name, { kind: "delete", mechanism });

describe("the users of a broker that is alone", () => {
  it("are there after a restart, whatever their names are, and gone when they were deleted", async () => {
    const first = await openTestCluster();
    const { users } = first.cluster;
    for (const name of ["alice", "zoë/~", "gone"]) await settled(first.clock, set(users, name));
    await settled(first.clock, remove(users, "gone"));
    const second = await openTestCluster({ memory: first.memory.reopen() });
    expect(second.cluster.users.list().map(({ name }) => name)).toEqual(["alice", "zoë/~"]);
    expect(second.cluster.users.find("alice")).toEqual(users.find("alice"));
  });

  it("are changed once, where replies of the store are lost", async () => {
    const clock = new VirtualClock();
    const memory = new MemoryMetadataStore();
    const store = new FaultyMetadataStore(memory, {
      clock,
      random: new SeededRandom(5),
      rates: { perThousand: { replyLost: 300 }, latencyMsMax: 4 },
    });
    const test = await openTestCluster({ memory });
    const access = { store, clock, random: test.random };
    const own = new OwnWrites(access, test.cluster.incarnation, () => 0);
    const users = new Users({ ...access, lookNow: () => Promise.resolve(), own }, []);
    for (let i = 0; i < 20; i += 1) {
      expect(await settled(clock, set(users, "alice", i))).toMatchObject({ kind: "done" });
      expect(await settled(clock, remove(users, "alice"))).toMatchObject({ kind: "done" });
    }
    expect(await memory.get(keys.user("alice"))).toBeUndefined();
  });

  it("are bounded in number", async () => {
    const { clock, cluster } = await openTestCluster();
    const stored = Array.from({ length: usersMax }, (_, i) => {
      const user = { name: `user-${i}`, credentials: new Map() };
      return { user, version: 1 };
    });
    const access = { store: cluster.store, clock, random: new SeededRandom(1) };
    const own = new OwnWrites(access, cluster.incarnation, () => 0);
    const users = new Users({ ...access, lookNow: () => Promise.resolve(), own }, stored);
    expect(await settled(clock, set(users, "one-more"))).toMatchObject({ reason: "tooManyUsers" });
  });
});

it("many users are deleted at once with a few transactions each, though each deletion refuses others", async () => {
  const { clock, cluster, memory, random } = await openTestCluster();
  let transactions = 0;
  const transact = memory.transact.bind(memory);
  memory.transact = (writes) => {
    transactions += 1;
    return transact(writes);
  };
  const access = { store: memory, clock, random };
  const own = new OwnWrites(access, cluster.incarnation, () => 0);
  const others = { haveSeen: () => Promise.resolve(true) };
  const users = new Users({ ...access, others, lookNow: () => Promise.resolve(), own }, []);
  const names = Array.from({ length: 60 }, (_, n) => `user-${n}`);
  for (const name of names) await settled(clock, set(users, name));
  transactions = 0;
  const outcomes = await settled(clock, Promise.all(names.map((name) => remove(users, name))));
  expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(["done"]));
  expect([users.size, await memory.get(keys.user("user-7"))]).toEqual([0, undefined]);
  expect(transactions).toBeLessThanOrEqual(3 * names.length);
});

describe("a user's change that was given up", () => {
  /** The broker of `late` is cut off in the middle of its next change, which is made 10 s later. */
  async function scene() {
    const { clock, cluster, memory, random } = await openTestCluster();
    const store = new FaultyMetadataStore(memory, { clock, random });
    const other = incarnationId(`9-${"ab".repeat(16)}`);
    const value = { state: "open", trim: 0 };
    await memory.transact([{ kind: "put", key: keys.incarnation(other), value }]);
    const usersOf = (of: MetadataStore, incarnation: IncarnationId): Users => {
      const access = { store: of, clock, random };
      const own = new OwnWrites(access, incarnation, () => 0);
      const others = { haveSeen: () => Promise.resolve(true) };
      return new Users({ ...access, others, lookNow: () => Promise.resolve(), own }, []);
    };
    const cut = (): void => {
      store.transact = (writes) => {
        clock.after(10_000, () => void memory.transact(writes));
        store.transact = () => Promise.reject(away);
        return Promise.reject(away);
      };
    };
    const away = new MetadataError("away", { retriable: false, applied: "maybe" });
    return {
      clock,
      cut,
      memory,
      late: usersOf(store, cluster.incarnation),
      b: usersOf(memory, other),
    };
  }

  it("does not bring back who was deleted on another broker meanwhile", async () => {
    const { b, clock, cut, late, memory } = await scene();
    cut();
    expect(await settled(clock, set(late, "alice"))).toMatchObject({ kind: "unavailable" });
    expect(await settled(clock, set(b, "alice", 2))).toEqual({ kind: "done" });
    expect(await settled(clock, remove(b, "alice"))).toEqual({ kind: "done" });
    clock.advance(10_000);
    expect(await memory.get(keys.user("alice"))).toBeUndefined();
  });

  it.each(["set", "delete"] as const)(
    "does not %s who was made anew on another broker meanwhile",
    async (change) => {
      const { b, clock, cut, late, memory } = await scene();
      await settled(clock, set(late, "alice"));
      cut();
      const changing = change === "set" ? set(late, "alice", 7) : remove(late, "alice");
      expect(await settled(clock, changing)).toMatchObject({ kind: "unavailable" });
      await settled(clock, remove(b, "alice"));
      await settled(clock, set(b, "alice", 2));
      const made = await memory.get(keys.user("alice"));
      clock.advance(10_000);
      expect(made?.version).toBe(1);
      expect(await memory.get(keys.user("alice"))).toEqual(made);
    },
  );
});

describe("the users of a cluster", () => {
  let all: MemberClusters;
  let a: Users;
  let b: Users;
  let gone: GoneCredential[];
  /** Of the second broker. */
  let reads: string[];

  beforeEach(async () => {
    all = new MemberClusters();
    a = (await all.join(1)).cluster.users;
    const second = await all.join(2);
    b = second.cluster.users;
    reads = second.reads;
    await all.advance(10_000);
    gone = [];
    b.onGone((credential) => gone.push(credential));
  });

  it("are changed on every broker when the answer leaves", async () => {
    expect(await all.settled(set(a, "alice"))).toEqual({ kind: "done" });
    expect(b.find("alice")).toEqual(a.find("alice"));
    await all.settled(remove(a, "alice"));
    expect(b.find("alice")).toBeUndefined();
    expect(gone).toEqual([{ user: "alice", mechanism }]);
  });

  it("are all followed where a broker missed a step", async () => {
    for (const name of ["alice", "bob"]) await all.settled(set(a, name));
    const changes = [remove(a, "alice"), set(a, "carol"), set(a, "bob", 2), remove(a, "bob")];
    await all.settled(Promise.all(changes));
    expect(b.list()).toEqual(a.list());
    expect(b.list().map(({ name }) => name)).toEqual(["carol"]);
    expect(gone.map(({ user }) => user).toSorted()).toEqual(["alice", "bob"]);
  });

  it("are read one by one only where they changed, when a broker missed a step", async () => {
    for (const name of ["alice", "bob"]) await all.settled(set(a, name));
    reads.length = 0;
    await all.settled(Promise.all([set(a, "bob", 2), set(a, "carol")]));
    expect(reads).toContain("user/");
    expect(reads.filter((key) => key.startsWith("user/")).toSorted()).toEqual(
      ["user/", keys.user("bob"), keys.user("carol")].toSorted(),
    );
  });

  it("that were deleted and made anew between two looks were deleted for all", async () => {
    await all.settled(set(a, "alice"));
    await all.settled(Promise.all([remove(a, "alice"), set(a, "alice")]));
    expect(b.find("alice")).toEqual(a.find("alice"));
    expect(gone).toEqual([{ user: "alice", mechanism }]);
  });

  it("that only get a new password are not", async () => {
    await all.settled(set(a, "alice"));
    await all.settled(set(b, "alice", 2));
    expect(a.find("alice")).toEqual(b.find("alice"));
    expect(gone).toEqual([]);
  });

  it("are found by who asks, before a look is due", async () => {
    const making = set(a, "alice");
    while (a.find("alice") === undefined) await all.advance(1);
    expect(b.find("alice")).toBeUndefined();
    const found = await all.settled(b.confirm("alice", mechanism));
    expect(found?.credentials.has(mechanism)).toBe(true);
    await all.settled(making);
  });
});
