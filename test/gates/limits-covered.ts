/** Finds limits without a test, and lines of the table that name what is not there. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LimitTest } from "./limit-test.ts";

export interface Tree {
  /** Paths of all `limits.ts` below a folder, relative to it. */
  readonly limitFiles: readonly string[];
  /** `undefined` for a file that is not there. */
  readonly read: (path: string) => string | undefined;
}

export function treeAt(root: string): Tree {
  const folders = [
    ...["core/src", "wire/src", "adapters", "broker-fargate/src", "cli/src", "sdk/src"],
    ...["control-api/src", "functions/src"],
  ];
  const limitFiles = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => /(^|\/)limits\.ts$/u.test(path) && !path.includes("node_modules"))
      .map((path) => `${folder}/${path}`),
  );
  const read = (path: string): string | undefined =>
    existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined;
  return { limitFiles, read };
}

/** Exported numbers, and the members of an exported object or interface of them. */
export function limitNames(source: string): readonly string[] {
  const names = new Set<string>();
  for (const [, name, type, value] of source.matchAll(
    /^export const (\w+)(?:: (\w+))? =\s*(.)/gmu,
  )) {
    const isNumber = type === undefined ? value !== "{" : type === "number";
    if (isNumber && name !== undefined) names.add(name);
  }
  for (const [, name] of source.matchAll(/^ {2}(?:readonly )?(\w+): (?:number;|[\d(]).*$/gmu)) {
    if (name !== undefined) names.add(name);
  }
  return [...names];
}

/** One sentence for each fault; none when every limit has its test. */
export function uncoveredLimits(
  tree: Tree,
  table: Readonly<Record<string, Readonly<Record<string, LimitTest>>>>,
): readonly string[] {
  const faults: string[] = [];
  for (const path of tree.limitFiles) {
    const names = limitNames(tree.read(path) ?? "");
    const lines = table[path] ?? {};
    if (names.length === 0) faults.push(`${path} declares no limit that is understood`);
    for (const name of names) {
      const line = lines[name];
      if (line === undefined) faults.push(`${path}: no test is named for ${name}`);
      else if ("title" in line) faults.push(...missingTest(tree, name, line));
    }
    for (const name of Object.keys(lines)) {
      if (!names.includes(name)) faults.push(`${path}: ${name} is in the table and not declared`);
    }
  }
  for (const path of Object.keys(table)) {
    if (!tree.limitFiles.includes(path)) faults.push(`${path} is in the table and not there`);
  }
  return faults;
}

function missingTest(
  tree: Tree,
  name: string,
  { file, title }: { readonly file: string; readonly title: string },
): readonly string[] {
  const source = tree.read(file);
  if (source === undefined) return [`${name}: ${file} is not there`];
  return source.includes(`"${title}"`) ? [] : [`${name}: ${file} has no test "${title}"`];
}
