/**
 * A data directory as one file that git can hold: POSIX ustar in gzip. The same directory gives the
 * same bytes: names are sorted, and times, owners and modes are not taken over. A preallocated
 * journal is mostly zeros, which take next to nothing here.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { constants, gunzipSync, gzipSync } from "node:zlib";

const blockBytes = 512;
const nameBytesMax = 100;
const checksumAt = 148;
const magicAt = 257;
const directoryFlag = "5";
const fileFlag = "0";

/** Every folder and file below `directory` but those called `except`. */
export function pack(directory: string, except: ReadonlySet<string>): Uint8Array {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !except.has(entry.name))
    .map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
    .map(({ entry, path }) => ({ entry, path, name: path.slice(directory.length + 1) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const blocks: Uint8Array[] = [];
  for (const { entry, name, path } of entries) {
    const content = entry.isDirectory() ? Buffer.alloc(0) : readFileSync(path);
    const flag = entry.isDirectory() ? directoryFlag : fileFlag;
    blocks.push(header(name, content.length, flag), content, padding(content.length));
  }
  const tar = Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]);
  return gzipSync(tar, { level: constants.Z_BEST_COMPRESSION });
}

/** Writes what `pack` packed below `directory`. */
export function unpack(archive: Uint8Array, directory: string): void {
  const tar = gunzipSync(archive);
  for (let at = 0; tar[at] !== 0; ) {
    const name = text(tar, at, nameBytesMax);
    const bytes = Number.parseInt(text(tar, at + 124, 12), 8);
    const flag = text(tar, at + 156, 1);
    const path = join(directory, name);
    at += blockBytes;
    mkdirSync(flag === directoryFlag ? path : dirname(path), { recursive: true });
    if (flag === fileFlag) writeFileSync(path, tar.subarray(at, at + bytes));
    at += Math.ceil(bytes / blockBytes) * blockBytes;
  }
}

function header(name: string, bytes: number, flag: string): Uint8Array {
  if (name.length > nameBytesMax) throw new RangeError(`too long a name: ${name}`);
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0");
  block.write(name, 0);
  block.write(octal(flag === directoryFlag ? 0o755 : 0o644, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(bytes, 11), 124);
  block.write(octal(0, 11), 136);
  block.write(flag, 156);
  block.write("ustar\u000000", magicAt);
  block.fill(" ", checksumAt, checksumAt + 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\u0000 `, checksumAt);
  return block;
}

function padding(bytes: number): Uint8Array {
  return Buffer.alloc((blockBytes - (bytes % blockBytes)) % blockBytes);
}

function text(bytes: Buffer, at: number, length: number): string {
  const field = bytes.toString("latin1", at, at + length);
  const end = field.indexOf("\u0000");
  return end < 0 ? field : field.slice(0, end);
}
