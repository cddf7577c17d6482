import { createHash, createHmac, pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { type HashName, type Hashing, scramTraits } from "@millrace/core";

const stretch = promisify(pbkdf2);
const names: Readonly<Record<HashName, string>> = { "SHA-256": "sha256", "SHA-512": "sha512" };
const bytesOf: Readonly<Record<HashName, number>> = {
  "SHA-256": scramTraits["SCRAM-SHA-256"].hashBytes,
  "SHA-512": scramTraits["SCRAM-SHA-512"].hashBytes,
};

/** OpenSSL's hashes; PBKDF2 runs on libuv's threads, which are few and shared with files. */
export const nodeHashing: Hashing = {
  digest: (name, bytes) => plain(createHash(names[name]).update(bytes).digest()),
  hmac: (name, key, bytes) => plain(createHmac(names[name], key).update(bytes).digest()),
  stretch: async (name, { iterations, password, salt }) =>
    plain(await stretch(password, salt, iterations, bytesOf[name], names[name])),
};

/** A copy: Node's buffer may be a slice of a pool that others read. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
