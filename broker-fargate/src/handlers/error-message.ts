import { errorMessageCharactersMax } from "../limits.ts";

/**
 * A sentence for a client that may quote what the client sent: cut to `errorMessageCharactersMax`
 * UTF-16 units. Whole names and values would not fit in a string of the protocol, and would make a
 * reply of many refusals grow with every one.
 */
export function errorMessage(text: string): string {
  if (text.length <= errorMessageCharactersMax) return text;
  const last = text.charCodeAt(errorMessageCharactersMax - 2);
  const isHalfPair = last >= 0xd800 && last < 0xdc00;
  return `${text.slice(0, errorMessageCharactersMax - (isHalfPair ? 2 : 1))}…`;
}
