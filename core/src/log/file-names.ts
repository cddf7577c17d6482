/** Names of the files in a partition's folder: the base offset in 20 digits and what it holds. */

const pattern = /^([0-9]{20})\.(log|index|timeindex|snapshot)$/;

export type LogFileKind = "log" | "index" | "timeindex" | "snapshot";

export interface LogFileName {
  readonly offset: number;
  readonly kind: LogFileKind;
}

export const leaderEpochsName = "leader-epochs";
export const cleanedOffsetName = "cleaned-offset";
export const compactedGapsName = "compacted-gaps";

export function fileName(offset: number, kind: LogFileKind): string {
  return `${String(offset).padStart(20, "0")}.${kind}`;
}

/** Undefined for a name that is none of ours. */
export function parseFileName(name: string): LogFileName | undefined {
  const match = pattern.exec(name);
  if (match === null) return undefined;
  const offset = Number(match[1]);
  if (!Number.isSafeInteger(offset)) return undefined;
  return { offset, kind: match[2] as LogFileKind };
}

/** What the path of a segment and those of its indexes have in common. */
export function withoutEnding(path: string): string {
  return path.slice(0, path.lastIndexOf("."));
}
