import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installed } from "./install.ts";

let source = "";
let cache = "";

beforeEach(() => {
  source = mkdtempSync(join(tmpdir(), "compat-source-"));
  cache = mkdtempSync(join(tmpdir(), "compat-cache-"));
  writeFileSync(join(source, "manifest"), "client 1");
});

afterEach(() => {
  for (const directory of [source, cache]) rmSync(directory, { recursive: true });
});

function install(build: (directory: string) => Promise<void>): Promise<string> {
  return installed({ cache, name: "client", source, build });
}

test("an unchanged program is built once and used again", async () => {
  let builds = 0;
  const build = async (): Promise<void> => {
    builds += 1;
  };
  const first = await install(build);
  expect(await install(build)).toBe(first);
  expect(builds).toBe(1);
  expect(existsSync(join(first, "manifest"))).toBe(true);
});

test("a changed manifest is another build", async () => {
  const first = await install(async () => {});
  writeFileSync(join(source, "manifest"), "client 2");
  expect(await install(async () => {})).not.toBe(first);
});

test("a client that can't be installed is an error each time and leaves no build behind", async () => {
  const refuse = (): Promise<void> => Promise.reject(new Error("not in the registry"));
  await expect(install(refuse)).rejects.toThrow("not in the registry");
  await expect(install(refuse)).rejects.toThrow("not in the registry");
  expect(readdirSync(cache)).toEqual([]);
});

test("a file that a program shares with another is there, and a change of it is another build", async () => {
  const other = mkdtempSync(join(tmpdir(), "compat-other-"));
  const shared = { folder: other, paths: ["clients"] };
  const build = async (): Promise<void> => {};
  writeFileSync(join(other, "clients"), "1");
  const first = await installed({ cache, name: "client", source, shared, build });
  expect(existsSync(join(first, "clients"))).toBe(true);
  writeFileSync(join(other, "clients"), "2");
  expect(await installed({ cache, name: "client", source, shared, build })).not.toBe(first);
  rmSync(other, { recursive: true });
});
