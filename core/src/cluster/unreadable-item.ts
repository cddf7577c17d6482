/** An item that this version cannot read: the broker must not start, or go on, with it. */
export class UnreadableItemError extends Error {
  override readonly name = "UnreadableItemError";
  constructor(key: string, reason: string, options?: ErrorOptions) {
    super(`metadata item ${key} cannot be read: ${reason}`, options);
  }
}

/**
 * What `read` returns. An id that is none and a null where an object should be are the item's fault as
 * much as what `read` itself refuses: throws UnreadableItemError, and nothing else.
 */
export function readingItem<Read>(key: string, read: () => Read): Read {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnreadableItemError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new UnreadableItemError(key, reason, { cause: error });
  }
}
