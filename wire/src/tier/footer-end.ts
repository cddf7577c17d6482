import type { Crc32c } from "../crc32c.ts";
import {
  END_BYTES,
  END_CRC_BEFORE,
  END_FOOTER_BYTES_BEFORE,
  END_MAGIC_BEFORE,
  END_VERSION_BEFORE,
  FORMAT_VERSION,
} from "./layout.ts";

/**
 * Why bytes that were read are of no use. `notAnObject`: they do not end as one.
 * `newerFormat`: no damage, a later release wrote it. `footerDamaged`: its CRC does not hold, or it
 * says what no writer writes. `otherLength`: the object is longer or shorter than its parts.
 * `sectionsDamaged`: what lies before the footer is not what the footer's CRCs speak of.
 */
export type TierFault =
  | "notAnObject"
  | "newerFormat"
  | "footerDamaged"
  | "otherLength"
  | "sectionsDamaged";

export interface InvalidTierObject {
  readonly kind: "invalid";
  readonly reason: TierFault;
}

/** More of the object's end is needed: as many bytes, no fewer than those at hand. */
export interface ShortTierObject {
  readonly kind: "short";
  readonly needBytes: number;
}

/** What a decoder has to know besides the bytes. */
export interface TierReading {
  /** Of the whole image or checkpoint, as the store or the item that names it says. */
  readonly objectBytes: number;
  readonly crc32c: Crc32c;
}

export function invalid(reason: TierFault): InvalidTierObject {
  return { kind: "invalid", reason };
}

/** Writes what every footer ends with; to be called when all else of it is in place. */
export function sealFooter(footer: Uint8Array, magic: number, crc32c: Crc32c): void {
  const end = footer.length;
  const view = new DataView(footer.buffer, footer.byteOffset, end);
  view.setUint16(end - END_VERSION_BEFORE, FORMAT_VERSION);
  view.setUint16(end - END_FOOTER_BYTES_BEFORE, end);
  view.setUint32(end - END_CRC_BEFORE, crc32c(footer.subarray(0, end - END_CRC_BEFORE)));
  view.setUint32(end - END_MAGIC_BEFORE, magic);
}

/**
 * The footer at the end of `bytes`, checked by its CRC. `newerFormat` too is said only of a footer
 * whose CRC holds.
 */
export function openFooter(
  bytes: Uint8Array,
  expected: { readonly magic: number; readonly footerBytes: number },
  { objectBytes, crc32c }: TierReading,
): { readonly kind: "ok"; readonly footer: DataView } | ShortTierObject | InvalidTierObject {
  if (objectBytes < expected.footerBytes) return invalid("notAnObject");
  if (bytes.length < expected.footerBytes) {
    return { kind: "short", needBytes: expected.footerBytes };
  }
  const { length } = bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  if (view.getUint32(length - END_MAGIC_BEFORE) !== expected.magic) return invalid("notAnObject");
  const footerBytes = view.getUint16(length - END_FOOTER_BYTES_BEFORE);
  if (footerBytes < END_BYTES || footerBytes > objectBytes) return invalid("footerDamaged");
  // At most 64 KiB: it may be asked for before its CRC is known.
  if (footerBytes > length) return { kind: "short", needBytes: footerBytes };
  const from = length - footerBytes;
  const crc = crc32c(bytes.subarray(from, length - END_CRC_BEFORE));
  if (crc !== view.getUint32(length - END_CRC_BEFORE)) return invalid("footerDamaged");
  if (view.getUint16(length - END_VERSION_BEFORE) > FORMAT_VERSION) return invalid("newerFormat");
  if (footerBytes !== expected.footerBytes) return invalid("footerDamaged");
  return { kind: "ok", footer: new DataView(bytes.buffer, bytes.byteOffset + from, footerBytes) };
}
