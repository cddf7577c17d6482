import {
  inlineHashing,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { keys, MetadataError, type MetadataStore } from "@millrace/core";
import { expect, it } from "vitest";
import { UserChanges } from "./user-changes.ts";

const login = { username: "mk-1", password: "secret" };
const companion = { key: "control/credential/cr_1", value: { id: "cr_1" } };

/**
 * Each transaction's answer is lost as often as it is said, after its effect or before; of `late` the
 * effect comes when `catchUp` is called.
 */
class LossyStore extends MemoryMetadataStore implements MetadataStore {
  losses: ("before" | "after" | "late")[] = [];
  readonly #late: (() => Promise<unknown>)[] = [];

  async catchUp(): Promise<void> {
    for (const run of this.#late.splice(0)) await run();
  }

  override async transact(
    writes: Parameters<MetadataStore["transact"]>[0],
  ): ReturnType<MetadataStore["transact"]> {
    const loss = this.losses.shift();
    const lost = new MetadataError("lost", { retriable: true, applied: "maybe" });
    if (loss === "late") this.#late.push(() => super.transact(writes));
    if (loss === "before" || loss === "late") throw lost;
    const outcome = await super.transact(writes);
    if (loss === "after") throw lost;
    return outcome;
  }
}

function kit() {
  const store = new LossyStore();
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const changes = new UserChanges({ store, clock, random, hashing: inlineHashing });
  /** Time passes whenever somebody waits. */
  const done = async <Result>(call: Promise<Result>): Promise<Result> => {
    const state = { isOver: false };
    const end = (): void => {
      state.isOver = true;
    };
    void call.then(end, end);
    while (!state.isOver) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.fireNext();
    }
    return call;
  };
  return { changes, done, store };
}

it.each([
  ["after its effect", ["after"]],
  ["before its effect", ["before"]],
  ["twice", ["before", "after"]],
] as const)("a user is added once, though the answer was lost %s", async (_, losses) => {
  const { changes, done, store } = kit();
  store.losses = [...losses];
  expect(await done(changes.add(login, companion))).toBe("added");
  expect((await store.get(keys.user("mk-1")))?.version).toBe(1);
  expect((await store.get(companion.key))?.version).toBe(1);
});

it.each(["after", "before"] as const)(
  "a user is removed, though the answer was lost %s its effect",
  async (loss) => {
    const { changes, done, store } = kit();
    await changes.add(login, companion);
    store.losses = [loss];
    expect(await done(changes.remove("mk-1", companion.key))).toBe("removed");
    expect(await store.get(keys.user("mk-1"))).toBe(undefined);
    expect(await store.get(companion.key)).toBe(undefined);
  },
);

it("a user who was removed does not come back by a try of adding it that takes effect late", async () => {
  const { changes, done, store } = kit();
  store.losses = ["late"];
  expect(await done(changes.add(login, companion))).toBe("added");
  expect(await changes.remove("mk-1", companion.key)).toBe("removed");
  await store.catchUp();
  expect(await store.get(keys.user("mk-1"))).toBe(undefined);
  expect(await store.get(companion.key)).toBe(undefined);
});

it.each(["after", "before", "late"] as const)(
  "a user is added, though another one is removed meanwhile, and the answer was lost: %s",
  async (loss) => {
    const { changes, done, store } = kit();
    const other = { key: "control/credential/cr_2", value: { id: "cr_2" } };
    await changes.add({ ...login, username: "mk-2" }, other);
    store.losses = [loss];
    const adding = changes.add(login, companion);
    await new Promise((resolve) => setImmediate(resolve));
    await changes.remove("mk-2", other.key);
    expect(await done(adding)).toBe("added");
    await store.catchUp();
    expect((await store.get(companion.key))?.version).toBe(1);
    expect((await store.get(keys.user("mk-1")))?.version).toBe(1);
  },
);

it("a user whom another client changed in between is removed as it then is", async () => {
  const { changes, store } = kit();
  await changes.add(login, companion);
  const item = await store.get(keys.user("mk-1"));
  if (item === undefined) throw new Error("no user");
  await store.transact([{ kind: "put", key: item.key, value: item.value }]);
  expect(await changes.remove("mk-1", companion.key)).toBe("removed");
  expect(await store.get(item.key)).toBe(undefined);
});

it("what exists already is not written over", async () => {
  const { changes, store } = kit();
  await changes.add(login, companion);
  expect(await changes.add({ ...login, password: "other" }, companion)).toBe("exists");
  expect((await store.get(keys.user("mk-1")))?.version).toBe(1);
});

it("a store that stays away fails the change in the end", async () => {
  const { changes, done, store } = kit();
  store.losses = Array.from({ length: 20 }, () => "before" as const);
  await expect(done(changes.add(login, companion))).rejects.toBeInstanceOf(MetadataError);
});
