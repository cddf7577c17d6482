import { isObjectKey, type ObjectListing } from "@millrace/core";
import { codeOf, type FolderEntry } from "./object-files-calls.ts";

/** Reads one folder of the store, named by its key with a `/` behind it, or by nothing: the root. */
export type ReadFolder = (folder: string) => Promise<readonly FolderEntry[]>;

/**
 * The keys of a listing, ascending, without end at its limit. It begins in the folder that the
 * prefix names and holds the names of one folder of each depth at most. What is no key, such as
 * the store's own folder of temporary files, is passed over.
 */
export async function* walkKeys(
  readFolder: ReadFolder,
  listing: Omit<ObjectListing, "limit">,
): AsyncGenerator<string> {
  const folder = listing.prefix.slice(0, listing.prefix.lastIndexOf("/") + 1);
  yield* walkFolder(readFolder, folder, listing);
}

async function* walkFolder(
  readFolder: ReadFolder,
  folder: string,
  { prefix, after }: Omit<ObjectListing, "limit">,
): AsyncGenerator<string> {
  for (const path of await sortedPaths(readFolder, folder)) {
    if (!path.startsWith(prefix) || isPassed(path, after)) continue;
    if (!path.endsWith("/")) yield path;
    else yield* walkFolder(readFolder, path, { prefix, ...(after === undefined ? {} : { after }) });
  }
}

/**
 * Folders end with `/`, and so come where the keys in them come: `a.b`, `a/…`, `a0`. Keys are
 * ASCII, so the order of UTF-16 units is that of bytes.
 */
async function sortedPaths(readFolder: ReadFolder, folder: string): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const entry of await entriesOf(readFolder, folder)) {
    const path = `${folder}${entry.name}`;
    if (!isObjectKey(path)) continue;
    if (entry.isFile()) paths.push(path);
    else if (entry.isDirectory()) paths.push(`${path}/`);
  }
  return paths.sort();
}

async function entriesOf(readFolder: ReadFolder, folder: string): Promise<readonly FolderEntry[]> {
  try {
    return await readFolder(folder);
  } catch (error) {
    // It was never there, or went with its last object.
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return [];
    throw error;
  }
}

/** Whether the key, or every key in the folder, is `after` or before it. */
function isPassed(path: string, after: string | undefined): boolean {
  if (after === undefined) return false;
  if (path.endsWith("/")) return path < after && !after.startsWith(path);
  return path <= after;
}
