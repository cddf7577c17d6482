import { randomBytes, randomInt } from "node:crypto";
import type { Random } from "@millrace/core";

/** The operating system's randomness: fit for ids that nobody can guess. */
export class SystemRandom implements Random {
  bytes(length: number): Uint8Array {
    // A copy: Node's buffer may be a slice of a pool that others read.
    return new Uint8Array(randomBytes(length));
  }

  below(limit: number): number {
    return randomInt(limit);
  }
}
