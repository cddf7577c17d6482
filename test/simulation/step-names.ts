import type { Write } from "@millrace/core";

/** Tells which named steps of the broker's protocols a call of a port is. */
export interface StepNames {
  /** Of a transaction that is about to be made in this life of a broker. */
  ofTransaction(writes: readonly Write[], life: number): readonly string[];
  /** The transaction was made. */
  made(writes: readonly Write[], life: number): void;
  /** `parts`: what is put. */
  ofObjects(
    operation: string,
    keys: readonly string[],
    parts?: readonly Uint8Array[],
  ): readonly string[];
}
