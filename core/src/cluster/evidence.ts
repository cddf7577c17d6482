import { aloneEvidenceMsMax, evidenceMsMax } from "./limits.ts";

/** What a coordinator knows about its own being up to date; all times monotonic. */
export interface Evidence {
  /** When the last strong read of the version that succeeded began; undefined: none did. */
  readonly readBegunMs: number | undefined;
  /** When the event loop last came round to a timer of `heartbeatMs`. */
  readonly turnedMs: number;
  /** The only member of its cluster reads less often, and a joiner gives it more time. */
  readonly isOnlyMember: boolean;
}

/**
 * Whether a coordinator may answer from memory at `nowMs` (ownership rule 16). Stores fence what it
 * writes; what it only says is limited by this. A loop that stalled has not seen what came in
 * meanwhile, however new its last read looks.
 */
export function mayAnswer(evidence: Evidence, nowMs: number): boolean {
  const { readBegunMs, turnedMs, isOnlyMember } = evidence;
  const msMax = isOnlyMember ? aloneEvidenceMsMax : evidenceMsMax;
  if (readBegunMs === undefined) return false;
  return nowMs - readBegunMs <= msMax && nowMs - turnedMs < evidenceMsMax;
}
