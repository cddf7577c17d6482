import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = new URL("../../", import.meta.url).pathname;
const folders: readonly string[] = [
  "core/src",
  "wire/src",
  "adapters/memory/src",
  "broker-fargate/src",
  "test/simulation",
];

/** Of all that a simulation runs: the broker, its ports in memory, and the simulation itself. */
export function codeHash(): string {
  const hash = createHash("sha256");
  for (const folder of folders) {
    const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
    for (const name of names.filter(isRun).sort()) {
      const path = join(folder, name);
      hash.update(`${path}\n`);
      hash.update(readFileSync(join(root, path)));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

function isRun(name: string): boolean {
  return name.endsWith(".ts") && !name.endsWith(".test.ts");
}
