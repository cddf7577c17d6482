import type { Clock, Random } from "@millrace/core";

/** Crockford's base32: no i, l, o and u, which are taken for others or make words. */
const digits = "0123456789abcdefghjkmnpqrstvwxyz";
const timeDigits = 9;
const randomDigits = 7;

/**
 * `{prefix}_` and 16 digits: the time, so that ids sort by age, and 35 random bits. Whoever stores
 * it does so on the condition that the id is new; it is no secret.
 */
export function newId(
  prefix: "cl" | "op" | "cr" | "key",
  {
    clock,
    random,
  }: { readonly clock: Pick<Clock, "wallMs">; readonly random: Pick<Random, "below"> },
): string {
  const time: string[] = [];
  let rest = clock.wallMs();
  for (let at = 0; at < timeDigits; at += 1) {
    time.unshift(digits.charAt(rest % 32));
    rest = Math.floor(rest / 32);
  }
  const chance = Array.from({ length: randomDigits }, () => digits.charAt(random.below(32)));
  return `${prefix}_${time.join("")}${chance.join("")}`;
}
