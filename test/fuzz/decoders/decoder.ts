import type { Chance } from "../chance.ts";

export type ReadOutcome = "value" | "refused";

/** Something that reads bytes from outside. */
export interface Decoder {
  readonly name: string;
  /** Valid inputs, which mutations start from. */
  readonly samples: readonly Uint8Array[];
  /**
   * Reads any bytes: a value, or the one error that is declared for them. Throws whatever else
   * comes out, which is a finding.
   */
  read(bytes: Uint8Array): ReadOutcome | Promise<ReadOutcome>;
  /** Changes a sample in a way of its own, in most cases; `mutateBytes` does in the others. */
  readonly mutate?: (sample: Uint8Array, chance: Chance) => Uint8Array;
  /**
   * Makes checksums hold again, as far as the input has them, so that what lies behind them is
   * reached. Absent where there is none.
   */
  readonly seal?: (bytes: Uint8Array, chance: Chance) => void;
  /** What it may allocate besides a multiple of its input: decompressed bytes. */
  readonly outputBytesMax?: number;
}

export type ErrorClass = abstract new (...args: never[]) => Error;

/** Runs `decode`; an error of the class is a refusal, any other one goes on. */
export function valueOr(Declared: ErrorClass, decode: () => unknown): ReadOutcome {
  try {
    decode();
    return "value";
  } catch (error) {
    if (error instanceof Declared) return "refused";
    throw error;
  }
}
