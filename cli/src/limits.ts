/** Lines of one file that `millrace log dump` prints where `--limit` does not say; all is checked. */
export const linesShownDefault = 1_000;
/** Bytes of a key, a value or a header that are printed. */
export const valueBytesShownMax = 256;
/** Headers of a record that are printed. */
export const headersShownMax = 32;
