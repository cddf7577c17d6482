import type { MemoryDisk } from "@millrace/adapter-memory";
import type { Chance } from "../chance.ts";
import { joined } from "../mutate-bytes.ts";

/** What was done to which file, for people. */
export interface Damage {
  readonly path: string;
  readonly what: string;
}

const pageBytes = 4096;

/** One to three changes from outside of files among `paths`, while nobody has them open. */
export function damageFiles(
  disk: MemoryDisk,
  paths: readonly string[],
  chance: Chance,
): readonly Damage[] {
  const damages: Damage[] = [];
  for (let left = chance.pick([1, 1, 1, 2, 3]); left > 0; left -= 1) {
    const existing = paths.filter((path) => disk.paths().includes(path));
    if (existing.length === 0) break;
    damages.push(damageOne(disk, existing, chance));
  }
  return damages;
}

function damageOne(disk: MemoryDisk, paths: readonly string[], chance: Chance): Damage {
  const path = chance.pick(paths);
  const kind = chance.below(20);
  if (kind === 0) {
    disk.remove(path);
    return { path, what: "removed" };
  }
  if (kind === 1) {
    const other = chance.pick(paths.filter((candidate) => endingOf(candidate) === endingOf(path)));
    const [mine, theirs] = [disk.bytesOf(path), disk.bytesOf(other)];
    overwrite(disk, path, theirs);
    overwrite(disk, other, mine);
    return { path, what: `swapped with ${other}` };
  }
  const bytes = disk.bytesOf(path);
  const [what, changed] = changedBytes(bytes, chance);
  overwrite(disk, path, changed);
  return { path, what };
}

function changedBytes(bytes: Uint8Array, chance: Chance): readonly [string, Uint8Array] {
  const size = bytes.length;
  const at = chance.below(size + 1);
  const end = Math.min(size, at + 1 + chance.skewed(pageBytes));
  switch (chance.below(8)) {
    case 0:
      return [`cut to ${at} of ${size}`, bytes.subarray(0, at)];
    case 1:
      return [`zeros from ${at} to ${end}`, bytes.fill(0, at, end)];
    case 2:
      bytes.set(chance.bytes(end - at), at);
      return [`other bytes from ${at} to ${end}`, bytes];
    case 3: {
      const from = chance.below(size + 1);
      const block = bytes.slice(from, Math.min(size, from + (end - at), from + size - at));
      bytes.set(block, at);
      return [`${block.length} bytes of ${from} again at ${at}`, bytes];
    }
    case 4: {
      const block = bytes.slice(at, end);
      return [`${at} to ${end} twice`, joined(bytes.subarray(0, end), block, bytes.subarray(end))];
    }
    case 5: {
      const more = 1 + chance.skewed(pageBytes);
      const tail = chance.pick([chance.bytes(more), new Uint8Array(more), bytes.slice(at, end)]);
      return [`${tail.length} bytes more`, joined(bytes, tail)];
    }
    case 6:
      return [`without ${at} to ${end}`, joined(bytes.subarray(0, at), bytes.subarray(end))];
    default: {
      const bit = chance.below(Math.max(1, size * 8));
      if (size > 0) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return [`bit ${bit} flipped`, bytes];
    }
  }
}

function overwrite(disk: MemoryDisk, path: string, bytes: Uint8Array): void {
  const file = disk.open(path, { create: "never" });
  if (file === undefined) throw new Error(`no file ${path}`);
  const copy = new Uint8Array(bytes);
  file.resize(0);
  file.write(0, [copy]);
  file.close();
}

function endingOf(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

/** A copy of all files: what they were before they were damaged. */
export function filesOf(disk: MemoryDisk): ReadonlyMap<string, Uint8Array> {
  return new Map(disk.paths().map((path) => [path, disk.bytesOf(path)]));
}

/** Whether a file is now another one than it was, or gone. */
export function isTouched(
  disk: MemoryDisk,
  path: string,
  before: ReadonlyMap<string, Uint8Array>,
): boolean {
  const was = before.get(path);
  if (!disk.paths().includes(path)) return was !== undefined;
  return was === undefined || Buffer.compare(was, disk.bytesOf(path)) !== 0;
}
