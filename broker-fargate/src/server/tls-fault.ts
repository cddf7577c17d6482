/** What is configured can't be used; the message says what and why, and names no secret. */
export class TlsFault extends Error {
  override readonly name = "TlsFault";
}
