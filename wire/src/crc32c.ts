/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`, as an unsigned 32-bit number.
 *
 * `initial` is the CRC of the bytes that precede, so that `crc(b, crc(a))` is the CRC of `a`
 * followed by `b`. Never throws.
 */
export interface Crc32c {
  (bytes: Uint8Array, initial?: number): number;
}

/** The polynomial 0x1EDC6F41 with its bits reversed, since the CRC is computed lowest bit first. */
const REVERSED_POLYNOMIAL = 0x82f63b78;

const TABLE_LENGTH = 256;
const SLICES = 8;

/** Eight tables in one array: table k gives the effect of a byte that lies k bytes further back. */
let tables: Int32Array | undefined;

function buildTables(): Int32Array {
  const built = new Int32Array(SLICES * TABLE_LENGTH);
  for (let byte = 0; byte < TABLE_LENGTH; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 1) === 1 ? (crc >>> 1) ^ REVERSED_POLYNOMIAL : crc >>> 1;
    }
    built[byte] = crc;
  }
  for (let at = TABLE_LENGTH; at < built.length; at++) {
    const previous = built[at - TABLE_LENGTH] as number;
    built[at] = (previous >>> 8) ^ (built[previous & 0xff] as number);
  }
  return built;
}

/**
 * The implementation that runs everywhere: eight bytes a step through eight tables. An adapter
 * supplies a native one for long inputs.
 */
export const crc32c: Crc32c = (bytes: Uint8Array, initial = 0): number => {
  // Built when first used: a start has nothing to check.
  const t = (tables ??= buildTables());
  const end = bytes.length;
  const end8 = end - 7;
  let crc = ~initial;
  let at = 0;
  // The casts hold because every index below is masked to its table or below `end`.
  for (; at < end8; at += 8) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    crc =
      (t[1792 + (crc & 0xff)] as number) ^
      (t[1536 + ((crc >>> 8) & 0xff)] as number) ^
      (t[1280 + ((crc >>> 16) & 0xff)] as number) ^
      (t[1024 + (crc >>> 24)] as number) ^
      (t[768 + (bytes[at + 4] as number)] as number) ^
      (t[512 + (bytes[at + 5] as number)] as number) ^
      (t[256 + (bytes[at + 6] as number)] as number) ^
      (t[bytes[at + 7] as number] as number);
  }
  for (; at < end; at++) {
    crc = (crc >>> 8) ^ (t[(crc ^ (bytes[at] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
};
