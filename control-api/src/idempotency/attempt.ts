import { type Clock, type Hashing, type Random, utf8Bytes } from "@millrace/core";
import { newId } from "../clusters/new-id.ts";
import { urlText } from "../text.ts";

/**
 * One try of a request that makes something. What is random in its answer comes from here, so that a
 * repeat of the request makes, and answers, the same.
 */
export interface Attempt {
  /** Whether an earlier try may have had its effect, without an answer that anybody saw. */
  readonly isRepeated: boolean;
  /** Of the request's first try; wall time. */
  readonly startedMs: number;
  /** One for each prefix. */
  newId(prefix: Parameters<typeof newId>[0]): string;
  /**
   * 256 bits as text. Under an Idempotency-Key it is made of the key, which only the caller has, and
   * of a random number that is kept with the reply: from what is stored alone nobody makes it.
   */
  secret(): string;
}

const secretBytes = 32;

/** Without an Idempotency-Key: every try is a request of its own. */
export function plainAttempt(deps: { readonly clock: Clock; readonly random: Random }): Attempt {
  return {
    isRepeated: false,
    startedMs: deps.clock.wallMs(),
    newId: (prefix) => newId(prefix, deps),
    secret: () => urlText(deps.random.bytes(secretBytes)),
  };
}

/** What is kept of a request under a key, beside its reply. */
export interface KeptChance {
  readonly startedMs: number;
  /** Random; it says nothing without the key. */
  readonly nonce: string;
}

export function secretOf(hashing: Hashing, key: string, { nonce }: KeptChance): string {
  return urlText(hashing.hmac("SHA-256", utf8Bytes(key), utf8Bytes(`secret 1 ${nonce}`)));
}

export function idOf(
  hashing: Hashing,
  prefix: Parameters<typeof newId>[0],
  { nonce, startedMs }: KeptChance,
): string {
  const bytes = hashing.digest("SHA-256", utf8Bytes(`id 1 ${prefix} ${nonce}`));
  let at = 0;
  const below = (limit: number): number => {
    const byte = bytes[at] ?? 0;
    at += 1;
    return byte % limit;
  };
  const clock = { wallMs: () => startedMs };
  return newId(prefix, { clock, random: { below } });
}
