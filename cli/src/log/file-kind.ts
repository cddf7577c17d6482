import type { Source } from "./source.ts";

export type FileKind =
  | "segment"
  | "offset index"
  | "time index"
  | "snapshot"
  | "leader epochs"
  | "cleaned offset"
  | "compacted gaps"
  | "journal"
  | "fence"
  | "image"
  | "checkpoint"
  | "items";

const byName: readonly (readonly [RegExp, FileKind])[] = [
  [/\.(?:log|unplaced|swap|cleaned)$/u, "segment"],
  [/\.index$/u, "offset index"],
  [/\.timeindex$/u, "time index"],
  [/\.snapshot$/u, "snapshot"],
  [/(?:^|\/)leader-epochs(?:\.tmp)?$/u, "leader epochs"],
  [/(?:^|\/)cleaned-offset(?:\.tmp)?$/u, "cleaned offset"],
  [/(?:^|\/)compacted-gaps(?:\.tmp)?$/u, "compacted gaps"],
  [/\.(?:journal|spare)$/u, "journal"],
  [/(?:^|\/)\d{20}-\d+-\d+-[0-9a-f]{16}$/u, "image"],
  [/(?:^|\/)data\.mdb$/u, "items"],
  [/(?:^|\/)checkpoint\/\d+-[0-9a-f]{32}\/\d{20}$/u, "checkpoint"],
];

const byFirstBytes: ReadonlyMap<string, FileKind> = new Map([
  ["MROI", "offset index"],
  ["MRTI", "time index"],
  ["MRPS", "snapshot"],
  ["MRLE", "leader epochs"],
  ["MRCD", "cleaned offset"],
  ["MRCG", "compacted gaps"],
  ["MLRJ", "journal"],
  ["MLRF", "fence"],
]);

const byLastBytes: ReadonlyMap<string, FileKind> = new Map([
  ["MRIM", "image"],
  ["MRCP", "checkpoint"],
]);

/** The name decides, so that a damaged magic is one; a file of another name has its magic. */
export function fileKind(path: string, source: Source): FileKind | undefined {
  const named = byName.find(([pattern]) => pattern.test(path))?.[1];
  if (named !== undefined) return named;
  const first = asciiOf(source.read(0, 4));
  const last = asciiOf(source.read(Math.max(0, source.bytes - 4), 4));
  return byFirstBytes.get(first) ?? byLastBytes.get(last) ?? segmentByBytes(source);
}

/** A batch has no magic at its start, but its version in the 17th byte. */
function segmentByBytes(source: Source): FileKind | undefined {
  return source.read(16, 1)[0] === 2 ? "segment" : undefined;
}

function asciiOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
