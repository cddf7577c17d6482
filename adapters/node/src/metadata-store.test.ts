import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MetadataError } from "@millrace/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LmdbMetadataStore } from "./metadata-store.ts";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-lmdb-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe("the metadata store in LMDB", () => {
  it("holds every acknowledged transaction, and each whole, after SIGKILL", async () => {
    const module = join(import.meta.dirname, "metadata-store.ts");
    const program = `
      import { LmdbMetadataStore } from ${JSON.stringify(module)};
      const store = LmdbMetadataStore.open(${JSON.stringify(folder)});
      for (let n = 1; ; n += 1) {
        const writes = ["a", "b"].map((key) => ({ kind: "put", key, value: { n } }));
        await store.transact(writes);
        process.stdout.write(n + "\\n");
      }`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (output.split("\n").length > 20) child.kill("SIGKILL");
    });
    await once(child, "close");
    const acknowledged = Number(output.trim().split("\n").at(-1));
    expect(acknowledged).toBeGreaterThanOrEqual(19);
    const store = LmdbMetadataStore.open(folder);
    const [a, b] = [await store.get("a"), await store.get("b")];
    expect(a?.version).toBeGreaterThanOrEqual(acknowledged);
    expect(a?.value).toEqual({ n: a?.version });
    expect(b).toEqual({ ...a, key: "b" });
    await store.close();
  });

  it("shares a commit between transactions of one turn, each with its own conditions", async () => {
    const store = LmdbMetadataStore.open(folder);
    const create = (n: number) =>
      store.transact([
        { kind: "put", key: "one", value: { n }, condition: { is: "absent" } },
        { kind: "put", key: `mark/${n}`, value: { n } },
      ]);
    const outcomes = await Promise.all([create(1), create(2), create(3)]);
    expect(outcomes.map((outcome) => outcome.ok)).toEqual([true, false, false]);
    const marks = await store.range({ from: "mark/", to: "mark0", limit: 9 });
    expect(marks.items.map((item) => item.key)).toEqual(["mark/1"]);
    await store.close();
  });

  it("says so when its folder cannot be opened", async () => {
    const file = join(folder, "file");
    await writeFile(file, "not a folder");
    expect(() => LmdbMetadataStore.open(join(file, "metadata"))).toThrow(MetadataError);
  });
});
