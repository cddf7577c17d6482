import { utf8Text } from "./text-bytes.ts";

/** The one message of PLAIN (RFC 4616), or Kafka's words on what is wrong with it. */
export type PlainMessage =
  | {
      readonly ok: true;
      readonly user: string;
      readonly password: string;
      /** Whom the client wants to act as; empty: as itself. */
      readonly authorizationId: string;
    }
  | { readonly ok: false; readonly message: string };

export function readPlain(token: Uint8Array): PlainMessage {
  const text = utf8Text(token);
  if (text === undefined) return { ok: false, message: "Invalid SASL/PLAIN response: not UTF-8" };
  const tokens = text.split("\0");
  if (tokens.length !== 3) {
    // As in Kafka, which stops to look after the fourth.
    const count = Math.min(tokens.length, 4);
    const message = `Invalid SASL/PLAIN response: expected 3 tokens, got ${count}`;
    return { ok: false, message };
  }
  const [authorizationId = "", user = "", password = ""] = tokens;
  if (user === "") return { ok: false, message: "Authentication failed: username not specified" };
  if (password === "") {
    return { ok: false, message: "Authentication failed: password not specified" };
  }
  return { ok: true, user, password, authorizationId };
}
