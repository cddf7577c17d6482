import {
  inlineHashing,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { keysUnder, type MetadataStore, readUser } from "@millrace/core";
import { expect, it } from "vitest";
import { controlLoginMsMax, loginsSweptMax, renewLoginMs } from "../limits.ts";
import { ControlLogin } from "./control-login.ts";

function kit(seed = 1) {
  const clock = new VirtualClock();
  const store = new MemoryMetadataStore();
  const deps = { clock, random: new SeededRandom(seed), hashing: inlineHashing };
  const changed: string[] = [];
  const told = async (keys: readonly string[]): Promise<void> => void changed.push(...keys);
  const pass = (ms: number): void => {
    clock.after(ms, () => undefined);
    clock.fireNext();
  };
  return { ...{ clock, store, deps, changed, told, pass }, login: new ControlLogin(deps) };
}

async function users(store: MetadataStore): Promise<readonly string[]> {
  const { items } = await store.range(keysUnder("user", 1_000));
  return items.map((item) => readUser(item).user.name);
}

it("a process has one login for a cluster, whose password nothing stores", async () => {
  const { changed, login, store, told } = kit();
  const first = await login.current(store, told);
  expect(first.username).toMatch(/^control-[A-Za-z0-9_-]{16}$/);
  expect(await login.current(store, told)).toBe(first);
  expect(await users(store)).toEqual([first.username]);
  expect(changed).toEqual([`user/${first.username.replaceAll("~", "~007e")}`]);
  const { items } = await store.range(keysUnder("user", 10));
  expect(JSON.stringify(items)).not.toContain(first.password);
});

it("calls at once share one login", async () => {
  const { login, store, told } = kit();
  const both = await Promise.all([login.current(store, told), login.current(store, told)]);
  expect(both[0]).toBe(both[1]);
  expect(await users(store)).toHaveLength(1);
});

it("a login is renewed when it has the age for it, and another one is made where it is refused", async () => {
  const { login, pass, store, told } = kit();
  const first = await login.current(store, told);
  pass(renewLoginMs - 1);
  expect(await login.current(store, told)).toBe(first);
  pass(1);
  const second = await login.current(store, told);
  expect(second.username).not.toBe(first.username);
  login.forget();
  expect((await login.current(store, told)).username).not.toBe(second.username);
});

it("what a process left behind goes when it is older than any login is used", async () => {
  const { deps, login, pass, store, told } = kit();
  const left = await login.current(store, told);
  pass(controlLoginMsMax - 1);
  const other = new ControlLogin({ ...deps, random: new SeededRandom(2) });
  const kept = await other.current(store, told);
  expect(await users(store)).toEqual([kept.username, left.username].sort());
  pass(1);
  const next = new ControlLogin({ ...deps, random: new SeededRandom(3) });
  const newest = await next.current(store, told);
  expect(await users(store)).toEqual([kept.username, newest.username].sort());
});

it("of very many that were left behind some go each time", async () => {
  const { clock, deps, pass, store, told } = kit();
  const madeMs = clock.wallMs();
  for (let at = 0; at < loginsSweptMax + 5; at += 1) {
    const username = `control-${String(at).padStart(5, "0")}`;
    const value = { username, madeMs };
    await store.transact([{ kind: "put", key: `control/login/${username}`, value }]);
  }
  pass(controlLoginMsMax + 1);
  const left = async (): Promise<number> =>
    (await store.range(keysUnder("control/login", 1_000))).items.length;
  await new ControlLogin(deps).current(store, told);
  expect(await left()).toBe(6);
  await new ControlLogin(deps).current(store, told);
  expect(await left()).toBe(2);
});

it("what was left behind goes though as many young logins come before it as are looked at", async () => {
  const { clock, deps, pass, store, told } = kit();
  const leave = async (username: string): Promise<void> => {
    const value = { username, madeMs: clock.wallMs() };
    await store.transact([{ kind: "put", key: `control/login/${username}`, value }]);
  };
  await leave("control-zzzz");
  pass(controlLoginMsMax + 1);
  for (let at = 0; at < loginsSweptMax + 5; at += 1) {
    await leave(`control--${String(at).padStart(5, "0")}`);
  }
  for (let seed = 0; seed < 5; seed += 1) {
    await new ControlLogin({ ...deps, random: new SeededRandom(seed) }).current(store, told);
  }
  expect(await store.get("control/login/control-zzzz")).toBeUndefined();
});

it("a login that could not be made is made by the next call", async () => {
  const { login, store, told } = kit();
  const failing: MetadataStore = new Proxy(store, {
    get: () => () => Promise.reject(new Error("away")),
  });
  await expect(login.current(failing, told)).rejects.toThrow("away");
  expect((await login.current(store, told)).username).toMatch(/^control-/);
});
