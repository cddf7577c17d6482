/**
 * Writes the API's document, docs/openapi.json, and the SDK's types of it, sdk/src/control/schema.ts, from
 * the routes: node control-api/tools/openapi.ts [--check] [--root DIR]. With --check it writes nothing,
 * names each file that is out of date, and exits 1 if there is one.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import openapiTypes, { astToString } from "openapi-typescript";
import { apiDocument } from "../src/docs/api-document.ts";

const at = process.argv.indexOf("--root");
const root = resolve(process.argv[at + 1] ?? "");
const folder = at < 0 ? join(import.meta.dirname, "../..") : root;

const head = `/**
 * Generated from the control plane's routes by control-api/tools/openapi.ts. Never edited.
 */

`;

async function generated(): Promise<ReadonlyMap<string, string>> {
  const document = apiDocument();
  const text = `${JSON.stringify(document, undefined, 2)}\n`;
  const types = await openapiTypes(JSON.parse(text), {
    ...{ alphabetize: true, defaultNonNullable: false },
  });
  return new Map([
    ["docs/openapi.json", text],
    ["sdk/src/control/generated/schema.ts", `${head}${astToString(types)}`],
  ]);
}

const wanted = await generated();
const stale = [...wanted].filter(([path, text]) => {
  const file = join(folder, path);
  return !existsSync(file) || readFileSync(file, "utf8") !== text;
});
if (process.argv.includes("--check")) {
  for (const [path] of stale) console.error(`out of date: ${path}`);
  console.log(`generated from the API: ${wanted.size} files, ${stale.length} out of date`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  for (const [path, text] of stale) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  console.log(`generated from the API: ${wanted.size} files, ${stale.length} written`);
}
