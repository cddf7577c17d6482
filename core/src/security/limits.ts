/** Bounds of users and their credentials, with their units in the names. */
import { assert } from "../assert.ts";

/** Iterations of PBKDF2 that a credential has: what Kafka's mechanisms take. */
export const scramIterationsMin = 4_096;
export const scramIterationsMax = 16_384;
/** UTF-16 units of a user's name: escaped, it still fits into a key of the metadata store. */
export const userNameCharactersMax = 200;
/** Bytes of one message of SCRAM: names, nonces, proofs and salts fit many times. */
export const scramMessageBytesMax: number = 16 * 1024;
/** Bytes of a credential's salt. */
export const saltBytesMax = 255;
/** Users of a cluster: every broker keeps all of them in memory. */
export const usersMax = 10_000;

assert(scramIterationsMin <= scramIterationsMax, "there is a number of iterations that is taken");
