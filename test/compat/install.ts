/**
 * Builds of client programs, kept in the cache under a hash of everything in the program's folder:
 * a changed manifest, lockfile or source makes a new build, an unchanged one is used again as it
 * is.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join, relative } from "node:path";

export interface Installation {
  readonly cache: string;
  readonly name: string;
  /** The program's folder in the repository. */
  readonly source: string;
  /** Files of another program's folder that this one takes too, at the same paths. */
  readonly shared?: { readonly folder: string; readonly paths: readonly string[] };
  /** Completes `directory`, which already holds a copy of the source; throws when it can't. */
  readonly build: (directory: string) => Promise<void>;
}

/** Names and bytes of all the files below a folder, in a fixed order; 12 hexadecimal digits. */
export async function hashOfFolder(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  if (files.length === 0) throw new Error(`${folder} has no files`);
  return hashOfFiles(folder, files.sort());
}

async function hashOfFiles(folder: string, paths: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const path of paths) {
    hash.update(`${path}\0`);
    hash.update(await readFile(join(folder, path)));
  }
  return hash.digest("hex").slice(0, 12);
}

/**
 * The directory of the finished build. It is built under another name and renamed into place, so
 * that a directory that exists is complete; of two lanes that build at once, the second to finish
 * takes the first one's.
 */
export async function installed(installation: Installation): Promise<string> {
  const { cache, name, source, shared, build } = installation;
  const hashes = [await hashOfFolder(source)];
  if (shared !== undefined) hashes.push(await hashOfFiles(shared.folder, shared.paths));
  const directory = join(cache, [name, ...hashes].join("-"));
  if (existsSync(directory)) return directory;
  const building = `${directory}.building-${process.pid}`;
  await mkdir(building, { recursive: true });
  await cp(source, building, { recursive: true });
  if (shared !== undefined) {
    for (const path of shared.paths) await cp(join(shared.folder, path), join(building, path));
  }
  try {
    await build(building);
    await rename(building, directory);
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    if (!existsSync(directory)) throw error;
  }
  return directory;
}
