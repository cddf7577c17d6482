/** `millrace log dump` of a database of items, as a process. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { LmdbMetadataStore } from "@millrace/adapter-node";
import { expect, test } from "vitest";
import { all, linesOf, picked, run } from "./dump-process.ts";
import { fixtures, withCopy } from "./fixtures.ts";

test("of a directory's metadata it prints every item, but not what logins rest on", () =>
  withDirectory(async (directory) => {
    const folder = join(directory, "metadata");
    const user = { name: "ann", credentials: { x: { salt: "c2FsdA==", iterations: 4096 } } };
    const store = LmdbMetadataStore.open(folder);
    await store.transact([{ kind: "put", key: "user/ann", value: user }]);
    const items = store.items();
    await store.close();
    rmSync(join(folder, "lock.mdb"));
    const file = join(folder, "data.mdb");
    const bytes = readFileSync(file);
    const cut = join(directory, "cut/data.mdb");
    mkdirSync(dirname(cut));
    writeFileSync(cut, bytes.subarray(0, bytes.length - 4096));
    const none = join(directory, "none/data.mdb");
    mkdirSync(dirname(none));
    writeFileSync(none, Buffer.alloc(9000));

    const dumped = run("log", "dump", file, cut, none, ...all);
    expect(dumped.stderr).toBe("");
    const lines = linesOf(dumped);
    const told = items.map(({ key, value, version }) => [key, version, value]);
    const credentials = { x: { salt: "(hidden)", iterations: 4096 } };
    const expected = told.map((item) =>
      item[0] === "user/ann" ? ["user/ann", 1, { name: "ann", credentials }] : item,
    );
    expect(picked(lines.get(file), "item", ["key", "version", "value"])).toEqual(expected);
    expect(lines.get(file)?.at(-1)).toMatchObject({ what: "sound", items: items.length });
    expect(lines.get(cut)?.at(-1)).toMatchObject({ damagedFrom: bytes.length - 4096 });
    expect(lines.get(none)?.at(-1)).toMatchObject({ damagedFrom: 0, why: "no database of LMDB" });
    expect(readdirSync(folder)).toEqual(["data.mdb"]);
    expect(readFileSync(file).equals(bytes)).toBe(true);
  }));

test("of metadata that is in use it prints the items, too", () =>
  withDirectory(async (directory) => {
    const folder = join(directory, "metadata");
    const store = LmdbMetadataStore.open(folder);
    const items = store.items();
    const dumped = run("log", "dump", join(folder, "data.mdb"), ...all);
    await store.close();
    const [lines] = linesOf(dumped).values();
    expect(picked(lines, "item", ["key"]).flat()).toEqual(items.map(({ key }) => key));
  }));

function withDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const [fixture] = fixtures();
  if (fixture === undefined) throw new Error("no released directory");
  return withCopy(fixture, use);
}
