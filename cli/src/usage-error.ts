/** What the user typed can't be understood; `main.ts` prints the message and exits with 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
