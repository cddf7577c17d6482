/** The store was made by a version of Millrace that this one does not understand. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}
