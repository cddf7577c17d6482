import type { Random } from "@millrace/core";
import { urlText } from "./text.ts";

const idBytes = 15;

/** The caller's own id where it is one that can stand in a log, otherwise a new one. */
export function requestIdOf(given: string | undefined, random: Random): string {
  if (given !== undefined && /^[A-Za-z0-9._:-]{1,100}$/u.test(given)) return given;
  return urlText(random.bytes(idBytes));
}
