/**
 * A part of the broker that most processes never load, as a bundle of its own inside the one file.
 *
 * Within one bundle, esbuild wraps every module that a dynamic import reaches, also those that
 * everybody needs, into a function that is called by whoever needs it first: 10 % of a start's
 * instructions. So the part lies in the file as a text, which nobody reads before it is imported.
 * The modules of the project that both have are the same to both: classes have one identity and
 * state is there once.
 */
import { readFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import type { Plugin } from "esbuild";

/** The part, and the modules that it gets from the rest, by their paths from the root. */
export interface ApartFrom {
  readonly entry: string;
  readonly text: string;
  readonly shared: ReadonlySet<string>;
}

/** What is written in a dynamic import of the part ends so. */
export function importOf(entry: string): RegExp {
  return new RegExp(`/${basename(entry).replaceAll(".", String.raw`\.`)}$`);
}

/** The rest as it is without the part: for what is in it. */
export function withoutApart(entry: string): Plugin {
  return {
    name: "without the part",
    setup(building) {
      building.onResolve({ filter: importOf(entry) }, ({ kind, path }) => {
        return kind === "dynamic-import" ? { path, external: true } : undefined;
      });
    },
  };
}

/** For the part: what the rest has is not bundled again, and is counted in `used`. */
export function sharedWith(
  root: string,
  rest: ReadonlySet<string>,
): { readonly plugin: Plugin; readonly used: ReadonlySet<string> } {
  const used = new Set<string>();
  const isResolving = { isResolving: true };
  const plugin: Plugin = {
    name: "modules of the rest",
    setup(building) {
      building.onResolve({ filter: /^(?:\.|@millrace\/)/ }, async ({ path, ...asked }) => {
        if (asked.kind === "entry-point" || asked.pluginData === isResolving) return undefined;
        if (asked.importer.includes("/node_modules/")) return undefined;
        const found = await building.resolve(path, { ...asked, pluginData: isResolving });
        const name = relative(root, found.path);
        if (found.external || !rest.has(name)) return found;
        used.add(name);
        return { path: name, namespace: "shared" };
      });
      building.onLoad({ filter: /.*/, namespace: "shared" }, ({ path }) => ({
        contents: `module.exports = bundleShared[${JSON.stringify(path)}];`,
      }));
    },
  };
  return { plugin, used };
}

/** For the rest: its entry says what it shares, and the import of the part reads its text. */
export function apartInside(mainEntry: string, { entry, shared, text }: ApartFrom): Plugin {
  const paths = [...shared];
  const imports = paths.map((path, at) => `import * as shared${at} from "shared:${path}";`);
  const names = paths.map((path, at) => `${JSON.stringify(path)}: shared${at}`);
  const sharing = `${imports.join("\n")}\nbundleShared = { ${names.join(", ")} };`;
  const reading = [
    `const { Module } = require("node:module");`,
    `const part = new Module(bundleUrl);`,
    `Object.assign(part, { url: bundleUrl, shared: bundleShared });`,
    `part._compile(${JSON.stringify(text)}, __filename.replace(/cjs$/, "apart.cjs"));`,
    `module.exports = part.exports;`,
  ];
  return {
    name: "the part inside",
    setup(building) {
      const { absWorkingDir: root = "" } = building.initialOptions;
      building.onResolve({ filter: /^shared:/ }, ({ path }) => {
        return { path: join(root, path.slice("shared:".length)) };
      });
      building.onResolve({ filter: importOf(entry) }, ({ kind, path }) => {
        return kind === "dynamic-import" ? { path, namespace: "apart" } : undefined;
      });
      building.onLoad({ filter: /.*/, namespace: "apart" }, () => {
        return { contents: reading.join("\n") };
      });
      building.onLoad({ filter: /main\.ts$/ }, async ({ path }) => {
        if (relative(root, path) !== mainEntry) return undefined;
        const source = await readFile(path, "utf8");
        return { contents: `${source}\n${sharing}`, loader: "ts" };
      });
    },
  };
}
