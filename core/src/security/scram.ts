/** SCRAM's keys, and the server's side of its exchange (RFC 5802, section 3; RFC 7677). */
import type { Hashing } from "../ports/hashing.ts";
import { type ScramMechanism, scramTraits } from "./mechanisms.ts";
import {
  type ClientFirst,
  readClientFinal,
  serverFinalText,
  serverFirstText,
} from "./scram-messages.ts";
import { isSameSecret, utf8Bytes } from "./text-bytes.ts";

/** What is kept of a password: enough to check it, too little to log in with. */
export interface ScramKeys {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** A password that went through PBKDF2. */
export interface SaltedPassword {
  readonly saltedPassword: Uint8Array;
  readonly salt: Uint8Array;
  readonly iterations: number;
}

/** The exchange after the server's first message. */
export interface ScramExchange {
  readonly mechanism: ScramMechanism;
  readonly client: ClientFirst;
  readonly keys: ScramKeys;
  /** The client's nonce and the server's. */
  readonly nonce: string;
  /** The server's first message. */
  readonly text: string;
}

const clientKeyText = utf8Bytes("Client Key");
const serverKeyText = utf8Bytes("Server Key");
/** Some clients repeat this header whatever they sent before. */
const plainHeader = "n,,";

export function scramKeys(
  hashing: Hashing,
  mechanism: ScramMechanism,
  { iterations, salt, saltedPassword }: SaltedPassword,
): ScramKeys {
  const { hash } = scramTraits[mechanism];
  const clientKey = hashing.hmac(hash, saltedPassword, clientKeyText);
  const storedKey = hashing.digest(hash, clientKey);
  const serverKey = hashing.hmac(hash, saltedPassword, serverKeyText);
  return { salt, iterations, storedKey, serverKey };
}

/** Passwords are taken as they are, in UTF-8, as Kafka takes them: SASLprep is not applied. */
export function stretched(
  hashing: Hashing,
  mechanism: ScramMechanism,
  secret: {
    readonly password: string;
    readonly salt: Uint8Array;
    readonly iterations: number;
  },
): Promise<Uint8Array> {
  const { iterations, password, salt } = secret;
  const bytes = utf8Bytes(password);
  return hashing.stretch(scramTraits[mechanism].hash, { password: bytes, salt, iterations });
}

/** Whether the keys were made of this salted password. */
export function isPasswordOf(
  hashing: Hashing,
  mechanism: ScramMechanism,
  known: { readonly keys: ScramKeys; readonly saltedPassword: Uint8Array },
): boolean {
  const { keys, saltedPassword } = known;
  const made = scramKeys(hashing, mechanism, { ...keys, saltedPassword });
  return isSameSecret(made.storedKey, keys.storedKey);
}

export function beginExchange(
  mechanism: ScramMechanism,
  begun: {
    readonly client: ClientFirst;
    readonly keys: ScramKeys;
    /** Printable, without commas. */
    readonly serverNonce: string;
  },
): ScramExchange {
  const { client, keys, serverNonce } = begun;
  const nonce = `${client.nonce}${serverNonce}`;
  const { iterations, salt } = keys;
  return { mechanism, client, keys, nonce, text: serverFirstText({ nonce, salt, iterations }) };
}

/** The server's last message, or `undefined`: the client has not proved that it knows the password. */
export function endExchange(
  hashing: Hashing,
  exchange: ScramExchange,
  token: Uint8Array,
): Uint8Array | undefined {
  const final = readClientFinal(token);
  const { client, keys, mechanism, nonce, text } = exchange;
  // librdkafka before 2.6.1 puts its own nonce before the whole one once more; Kafka takes that, too.
  if (final === undefined || !final.nonce.endsWith(nonce)) return undefined;
  const isBound = final.channelBinding === client.header || final.channelBinding === plainHeader;
  if (!isBound) return undefined;
  const { hash } = scramTraits[mechanism];
  const said = utf8Bytes(`${client.bare},${text},${final.withoutProof}`);
  const signature = hashing.hmac(hash, keys.storedKey, said);
  if (final.proof.length !== signature.length) return undefined;
  const clientKey = final.proof.map((byte, i) => byte ^ (signature[i] ?? 0));
  if (!isSameSecret(hashing.digest(hash, clientKey), keys.storedKey)) return undefined;
  return utf8Bytes(serverFinalText(hashing.hmac(hash, keys.serverKey, said)));
}
