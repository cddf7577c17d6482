/**
 * A 128-bit id as 32 lower-case hex digits. Hex keeps it a flat string that is cheap to make, to compare and to use as
 * a key; people and Kafka's tools see the 22 characters of unpadded base64url instead.
 */
export type Uuid = string & { readonly __uuid: "Uuid" };

export const zeroUuid: Uuid = "00000000000000000000000000000000" as Uuid;

const hexForm = /^[0-9a-f]{32}$/;
const base64Form = /^[A-Za-z0-9_-]{21}[AQgw]$/;
const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Checks that `hex` is 32 lower-case hex digits. Throws RangeError otherwise. */
export function uuidFromHex(hex: string): Uuid {
  if (!hexForm.test(hex)) throw new RangeError(`not a uuid of 32 hex digits: ${hex}`);
  return hex as Uuid;
}

/** The form that Kafka prints: 22 characters of base64url without padding (RFC 4648, section 5). */
export function uuidToBase64(uuid: Uuid): string {
  let text = "";
  for (let digit = 0; digit < 30; digit += 3) {
    const bits = Number.parseInt(uuid.slice(digit, digit + 3), 16);
    text += base64Digits.charAt(bits >> 6) + base64Digits.charAt(bits & 63);
  }
  const last = Number.parseInt(uuid.slice(30), 16);
  return text + base64Digits.charAt(last >> 2) + base64Digits.charAt((last & 3) << 4);
}

/** Reads Kafka's printed form. Throws RangeError if it is not 22 characters of base64url that stand for 16 bytes. */
export function uuidFromBase64(text: string): Uuid {
  if (!base64Form.test(text)) throw new RangeError(`not a uuid in base64url: ${text}`);
  let hex = "";
  for (let at = 0; at < 20; at += 2) {
    const bits = (base64Digit(text, at) << 6) | base64Digit(text, at + 1);
    hex += bits.toString(16).padStart(3, "0");
  }
  const last = (base64Digit(text, 20) << 2) | (base64Digit(text, 21) >> 4);
  return (hex + last.toString(16).padStart(2, "0")) as Uuid;
}

function base64Digit(text: string, at: number): number {
  return base64Digits.indexOf(text.charAt(at));
}
