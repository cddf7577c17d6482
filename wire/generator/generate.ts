import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { emitApis, emitCodecs } from "./emit-apis.ts";
import { emitFile } from "./emit-file.ts";
import { nameStructs } from "./naming.ts";
import { parseSchema } from "./schema.ts";

// Usage: node wire/generator/generate.ts [--check] [--schemas DIR] [--out DIR]
// Writes the codecs of all schemas. With --check it writes nothing, names each file that is out of date, and exits 1 if
// there is one.

function option(name: string, fallback: string): string {
  const at = process.argv.indexOf(name);
  const value = at < 0 ? undefined : process.argv[at + 1];
  return value ?? fileURLToPath(new URL(fallback, import.meta.url));
}

/** Every generated file by name. */
function generateAll(schemasFolder: string): ReadonlyMap<string, string> {
  const files = readdirSync(schemasFolder)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => {
      const text = readFileSync(join(schemasFolder, name), "utf8");
      return parseSchema(name.slice(0, -".json".length), text);
    });
  if (files.length === 0) throw new Error(`no schemas in ${schemasFolder}`);
  const naming = nameStructs(files);
  const modules = new Map(files.map((file) => [`${file.stem}.ts`, emitFile(file, naming)]));
  modules.set("apis.ts", emitApis(files));
  modules.set("codecs.ts", emitCodecs(files));
  return modules;
}

function staleFiles(wanted: ReadonlyMap<string, string>, folder: string): readonly string[] {
  const present = readdirSync(folder);
  const stale = [...wanted].filter(
    ([name, text]) => !present.includes(name) || readFileSync(join(folder, name), "utf8") !== text,
  );
  const extra = present.filter((name) => !wanted.has(name));
  return [...stale.map(([name]) => name), ...extra].sort();
}

const outFolder = option("--out", "../src/generated");
const wanted = generateAll(option("--schemas", "../schemas"));
const stale = staleFiles(wanted, outFolder);
if (process.argv.includes("--check")) {
  for (const name of stale) console.error(`out of date: ${join(outFolder, name)}`);
  console.log(`generated codecs: ${wanted.size} files, ${stale.length} out of date`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  for (const name of stale) {
    const text = wanted.get(name);
    if (text === undefined) rmSync(join(outFolder, name));
    else writeFileSync(join(outFolder, name), text);
  }
  console.log(`generated codecs: ${wanted.size} files, ${stale.length} written`);
}
