import type { ColdPart, LeaderEpochStart, ProducerState } from "@millrace/core";
import type { PieceLook } from "./piece.ts";

/** As much of a part as a cold round works on at once. */
export interface Piece {
  readonly batches: Uint8Array<ArrayBuffer>;
  readonly look: PieceLook;
  readonly part: ColdPart;
  /** In the part's batches. */
  readonly position: number;
}

/** With what its part tells of producers. */
export interface PieceOfPart extends Piece {
  readonly kind: "piece";
  /** Undefined: its part tells of no producers. */
  readonly known: ProducerState | undefined;
}

/** Of a part, after all of its pieces. */
export interface PartEnd {
  readonly kind: "end";
  readonly known: ProducerState | undefined;
}

/** The parts' histories as one: an epoch stays known when its batches are gone. */
export function epochsOf(parts: readonly ColdPart[]): readonly LeaderEpochStart[] {
  const history: LeaderEpochStart[] = [];
  for (const start of parts.flatMap(({ leaderEpochs }) => leaderEpochs)) {
    if (start.epoch > (history.at(-1)?.epoch ?? -1)) history.push(start);
  }
  return history;
}
