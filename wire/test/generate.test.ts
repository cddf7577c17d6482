import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";

const generator = fileURLToPath(new URL("../generator/generate.ts", import.meta.url));
const schemas = fileURLToPath(new URL("../schemas/", import.meta.url));
const folders: string[] = [];

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "millrace-generate-"));
  folders.push(folder);
  return folder;
}

function check(options: readonly string[]): {
  readonly status: number | null;
  readonly said: string;
} {
  const run = spawnSync(process.execPath, [generator, "--check", ...options], { encoding: "utf8" });
  return { status: run.status, said: run.stdout + run.stderr };
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

describe("the generator's check", () => {
  it("finds the checked-in codecs up to date", () => {
    const { status, said } = check([]);
    expect(said).toMatch(/generated codecs: \d\d+ files, 0 out of date/);
    expect(status).toBe(0);
  });

  it("names the codec that a changed schema makes stale, and fails", () => {
    const changed = temporaryFolder();
    cpSync(schemas, changed, { recursive: true });
    const path = join(changed, "12-heartbeat.json");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace('"MemberId"', '"MemberName"'));
    const { status, said } = check(["--schemas", changed]);
    expect(said).toContain("12-heartbeat.ts");
    expect(said).toContain("1 out of date");
    expect(status).toBe(1);
  });

  it("names a generated file that no schema accounts for, and fails", () => {
    const out = temporaryFolder();
    execFileSync(process.execPath, [generator, "--out", out]);
    writeFileSync(join(out, "99-left-over.ts"), "");
    const { status, said } = check(["--out", out]);
    expect(said).toContain("99-left-over.ts");
    expect(status).toBe(1);
  });

  it("fails where there is no schema to look at", () => {
    expect(check(["--schemas", temporaryFolder()]).status).not.toBe(0);
  });

  it("covers every schema file", () => {
    const out = temporaryFolder();
    execFileSync(process.execPath, [generator, "--out", out]);
    const stems = readdirSync(schemas)
      .filter((name) => name.endsWith(".json"))
      .map((name) => name.replace(".json", ".ts"));
    expect(readdirSync(out).sort()).toEqual([...stems, "apis.ts", "codecs.ts"].sort());
  });
});
