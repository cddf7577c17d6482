/** The messages of SCRAM (RFC 5802, section 7), read and written. */
import { scramMessageBytesMax } from "./limits.ts";
import { base64Bytes, base64Text, utf8Text } from "./text-bytes.ts";

export interface ClientFirst {
  readonly user: string;
  /** Whom the client wants to act as; empty: as itself. */
  readonly authorizationId: string;
  readonly nonce: string;
  /** What precedes `bare`: the client's word on channel binding. */
  readonly header: string;
  readonly bare: string;
}

export interface ClientFinal {
  /** The header of the first message, repeated. */
  readonly channelBinding: string;
  readonly nonce: string;
  readonly proof: Uint8Array;
  readonly withoutProof: string;
}

const saslName = "(?:[^\\0=,]|=2C|=3D)+";
const printable = "[\\x21-\\x2b\\x2d-\\x7e]+";
const extensions = "((?:,[A-Za-z]+=[^\\0,]+)*)";
const clientFirst = new RegExp(
  `^([ny],(?:a=(${saslName}))?,)(n=(${saslName}),r=(${printable})${extensions})$`,
  "u",
);
const clientFinal = new RegExp(`^(c=([^\\0,]*),r=(${printable})${extensions}),p=([^\\0,]*)$`, "u");

/**
 * `undefined`: the token is no such message, or asks for what is not there: channel binding, a
 * mandatory extension, or a login by a delegation token (KIP-48). Other extensions are ignored.
 */
export function readClientFirst(token: Uint8Array): ClientFirst | undefined {
  const match = clientFirst.exec(messageText(token) ?? "");
  if (match === null) return undefined;
  const [, header = "", authorizationId = "", bare = "", user = "", nonce = "", more = ""] = match;
  if (/,(?:m|tokenauth)=/u.test(more)) return undefined;
  return {
    ...{ header, bare, nonce },
    user: unescaped(user),
    authorizationId: unescaped(authorizationId),
  };
}

/** `undefined`: the token is no such message. */
export function readClientFinal(token: Uint8Array): ClientFinal | undefined {
  const match = clientFinal.exec(messageText(token) ?? "");
  if (match === null) return undefined;
  const [, withoutProof = "", binding = "", nonce = "", , proofText = ""] = match;
  const bindingBytes = base64Bytes(binding);
  const proof = base64Bytes(proofText);
  if (bindingBytes === undefined || proof === undefined) return undefined;
  const channelBinding = utf8Text(bindingBytes);
  if (channelBinding === undefined) return undefined;
  return { channelBinding, nonce, proof, withoutProof };
}

export function serverFirstText(answer: {
  readonly nonce: string;
  readonly salt: Uint8Array;
  readonly iterations: number;
}): string {
  return `r=${answer.nonce},s=${base64Text(answer.salt)},i=${answer.iterations}`;
}

export function serverFinalText(signature: Uint8Array): string {
  return `v=${base64Text(signature)}`;
}

/** Whoever sends it has not authenticated: what is far too long is not even looked at. */
function messageText(token: Uint8Array): string | undefined {
  return token.length > scramMessageBytesMax ? undefined : utf8Text(token);
}

function unescaped(name: string): string {
  return name.replaceAll("=2C", ",").replaceAll("=3D", "=");
}
