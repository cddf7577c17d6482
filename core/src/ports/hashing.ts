/**
 * The hashes of passwords and proofs (RFC 5802, RFC 8018). Deterministic: the same call gives the
 * same bytes, everywhere.
 *
 * Not promised: that `stretch` is quick (some milliseconds of a core for 4,096 rounds), or that
 * calls end in the order in which they came; how many may be under way is the caller's to bound.
 * Promised: `stretch` does not hold up the event loop; the others are for short inputs and do.
 */
export interface Hashing {
  digest(name: HashName, bytes: Uint8Array): Uint8Array;
  /** HMAC of the bytes under the key. */
  hmac(name: HashName, key: Uint8Array, bytes: Uint8Array): Uint8Array;
  /** PBKDF2 with HMAC: as many bytes as the hash has. */
  stretch(name: HashName, secret: StretchedSecret): Promise<Uint8Array>;
}

export type HashName = "SHA-256" | "SHA-512";

export interface StretchedSecret {
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  readonly iterations: number;
}
