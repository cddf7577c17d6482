/** Writes 32 hex digits as 16 bytes. */
export function writeHex16(view: DataView, at: number, hex: string): void {
  for (let word = 0; word < 4; word++) {
    view.setUint32(at + word * 4, Number.parseInt(hex.slice(word * 8, word * 8 + 8), 16));
  }
}

/** Reads 16 bytes as 32 lower-case hex digits. */
export function readHex16(view: DataView, at: number): string {
  let hex = "";
  for (let word = 0; word < 4; word++) {
    hex += view
      .getUint32(at + word * 4)
      .toString(16)
      .padStart(8, "0");
  }
  return hex;
}
