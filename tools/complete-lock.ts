/**
 * `node tools/complete-lock.ts`: enters into package-lock.json the packages of other platforms that npm
 * left out, because the registry which it asked does not have them. Without them `npm ci` refuses the
 * lock, and `npm install` on such a platform leaves them out too. Their versions are those that the
 * locked packages ask for; a hash is what only the registry knows, and npm takes it from there.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  /** Comes inside of the package that it is below. */
  readonly inBundle?: boolean;
  readonly dev?: boolean;
  readonly license?: string;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly engines?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export type LockedPackages = Readonly<Record<string, LockedPackage>>;

type Platform = Required<Pick<LockedPackage, "os" | "cpu">> & Pick<LockedPackage, "libc">;

const systems = ["aix", "android", "darwin", "freebsd", "linux", "openharmony", "sunos", "win32"];
const processors = ["arm", "arm64", "ia32", "loong64", "ppc64", "riscv64", "s390x", "x64"];
const inModules = "node_modules/";

/** What is to be entered, by its path in the lock. */
export function missingPlatforms(packages: LockedPackages): LockedPackages {
  const found: Record<string, LockedPackage> = {};
  for (const [at, parent] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const isThere = [`${inModules}${name}`, `${at}/${inModules}${name}`].some(
        (path) => path in packages,
      );
      const platform = isThere ? undefined : platformOf(name);
      if (platform === undefined) continue;
      const { engines, license } = siblingOf(packages, parent);
      found[`${inModules}${name}`] = {
        ...{ version, cpu: platform.cpu },
        ...(parent.dev === true ? { dev: true } : {}),
        ...(platform.libc === undefined ? {} : { libc: platform.libc }),
        ...(license === undefined ? {} : { license }),
        ...{ optional: true, os: platform.os },
        ...(engines === undefined ? {} : { engines }),
      };
    }
  }
  return found;
}

/** By the words of its name, as `@esbuild/linux-x64` or `@oxlint/binding-linux-arm64-musl`. */
function platformOf(name: string): Platform | undefined {
  const words = name.split("/").at(-1)?.split("-") ?? [];
  const os = systems.find((word) => words.includes(word));
  const cpu = processors.find((word) => words.includes(word));
  if (os === undefined || cpu === undefined) return undefined;
  const isMusl = words.some((word) => word.startsWith("musl"));
  const isGlibc = words.some((word) => word.startsWith("gnu"));
  const libc = isMusl ? { libc: ["musl"] } : isGlibc ? { libc: ["glibc"] } : {};
  return { os: [os], cpu: [cpu], ...libc };
}

/** Another platform's of the same parent, which says the same of all but the platform. */
function siblingOf(packages: LockedPackages, parent: LockedPackage): LockedPackage {
  const names = Object.keys(parent.optionalDependencies ?? {});
  return (
    names.map((name) => packages[`${inModules}${name}`]).find((one) => one !== undefined) ?? {}
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const path = join(import.meta.dirname, "../package-lock.json");
  const lock = JSON.parse(readFileSync(path, "utf8")) as { readonly packages: LockedPackages };
  const missing = missingPlatforms(lock.packages);
  // In npm's own order.
  const all = Object.entries({ ...lock.packages, ...missing }).toSorted(([a], [b]) =>
    a.localeCompare(b, "en"),
  );
  const packages = Object.fromEntries(all);
  writeFileSync(path, `${JSON.stringify({ ...lock, packages }, null, 2)}\n`);
  process.stdout.write(`${Object.keys(missing).length} packages of other platforms entered\n`);
}
