import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { type HashName, type Hashing, scramTraits } from "@millrace/core";

const names: Readonly<Record<HashName, string>> = { "SHA-256": "sha256", "SHA-512": "sha512" };
const bytesOf: Readonly<Record<HashName, number>> = {
  "SHA-256": scramTraits["SCRAM-SHA-256"].hashBytes,
  "SHA-512": scramTraits["SCRAM-SHA-512"].hashBytes,
};

/** Without threads, so that what waits for a password goes on at a moment that a seed decides. */
export const inlineHashing: Hashing = {
  digest: (name, bytes) => plain(createHash(names[name]).update(bytes).digest()),
  hmac: (name, key, bytes) => plain(createHmac(names[name], key).update(bytes).digest()),
  stretch: (name, { iterations, password, salt }) =>
    Promise.resolve(plain(pbkdf2Sync(password, salt, iterations, bytesOf[name], names[name]))),
};

function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
