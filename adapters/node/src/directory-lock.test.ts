import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockDirectory } from "./directory-lock.ts";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-lock-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe("the lock on a directory", () => {
  it("is held by one at a time, whatever name the directory is called by", async () => {
    const data = join(folder, "deep", "data");
    const first = await lockDirectory(data);
    expect(first.kind).toBe("locked");
    await symlink(data, join(folder, "other"));
    expect((await lockDirectory(data)).kind).toBe("held");
    expect((await lockDirectory(join(folder, "other"))).kind).toBe("held");
    const elsewhere = await lockDirectory(join(folder, "elsewhere"));
    expect(elsewhere.kind).toBe("locked");
    if (elsewhere.kind === "locked") await elsewhere.release();
    if (first.kind === "locked") await first.release();
    const again = await lockDirectory(data);
    expect(again.kind).toBe("locked");
    if (again.kind === "locked") await again.release();
  });

  it("is given back by the kernel when its process is killed", async () => {
    const module = join(import.meta.dirname, "directory-lock.ts");
    const program = `
      import { lockDirectory } from ${JSON.stringify(module)};
      console.log((await lockDirectory(${JSON.stringify(folder)})).kind);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(child.stdout, "data");
    expect(String(line).trim()).toBe("locked");
    expect((await lockDirectory(folder)).kind).toBe("held");
    child.kill("SIGKILL");
    await once(child, "exit");
    const mine = await lockDirectory(folder);
    expect(mine.kind).toBe("locked");
    if (mine.kind === "locked") await mine.release();
  });
});
