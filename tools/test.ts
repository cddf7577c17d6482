/**
 * `npm test`: unit tests and the tests that start real brokers; ends with one line of counts. With
 * arguments, what they ask vitest for: `node tools/test.ts --project clients`.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { lastNumber } from "./steps.ts";

const root = join(import.meta.dirname, "..");
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const usual = ["--project", "unit", "--project", "process"];
const asked = process.argv.slice(2);
const args = [vitest, "run", ...(asked.length > 0 ? asked : usual)];
const child = spawn(process.execPath, args, {
  cwd: root,
  stdio: ["ignore", "pipe", "inherit"],
});
const chunks: Buffer[] = [];
child.stdout.on("data", (chunk: Buffer) => {
  chunks.push(chunk);
  process.stdout.write(chunk);
});
child.on("close", (exitCode) => {
  const output = stripVTControlCharacters(Buffer.concat(chunks).toString());
  const passed = lastNumber(/^\s*Tests\s.*?(\d+) passed/m)(output);
  const failed = lastNumber(/^\s*Tests\s+(\d+) failed/m)(output);
  console.log(`${passed} passed, ${exitCode === 0 ? failed : Math.max(failed, 1)} failed`);
  process.exitCode = exitCode === 0 && passed > 0 ? 0 : 1;
});
