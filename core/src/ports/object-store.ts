/**
 * Objects by key: written once, whole, read in ranges, listed, deleted. It knows nothing of Kafka.
 *
 * Not promised: that a put whose reply was lost had no effect (an ObjectError says `applied`); that
 * a read is fast; that two puts of one key at once get clear answers (the loser may get a retriable
 * error and has to look what is there); that a list shows a put that is under way, or hides a
 * deletion that is.
 * Promised: an object is there whole or not at all, never changes, and is durable when its put
 * resolves, or when a read after it sees the object through the same store; `readRange` and `list`
 * see every put and deletion that resolved before the call. A put has no use for its parts any more
 * once it settled.
 */
export interface ObjectStore {
  /**
   * Puts the parts, one after another, as one object, unless the key has one: `exists` then, which
   * may be what an earlier try of the same put left. Whoever wants to know puts a nonce into it.
   */
  putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists">;
  /**
   * The bytes from `from` on, at most `bytes` of them, fewer at the object's end; none at or past
   * its end. Undefined: there is no such object.
   */
  readRange(key: string, range: ObjectRange): Promise<Uint8Array | undefined>;
  /** Objects whose key begins with `prefix`, ascending by UTF-8 bytes, at most `limit` of them. */
  list(range: ObjectListing): Promise<ObjectPage>;
  /** Deletes them; no effect on those that are absent. */
  delete(keys: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export interface ObjectRange {
  readonly from: number;
  readonly bytes: number;
  /**
   * Memory of at least `bytes` for what is read, whose beginning is then the answer; else the store
   * takes memory of its own. Once the call settled, nothing is written into it any more.
   */
  readonly into?: Uint8Array;
}

export interface ObjectListing {
  readonly prefix: string;
  /** Only keys after this one. */
  readonly after?: string;
  readonly limit: number;
}

export interface ObjectPage {
  readonly objects: readonly { readonly key: string; readonly bytes: number }[];
  /** The `after` of the next page; absent at the end. */
  readonly next?: string;
}

/**
 * A key's most bytes: S3's. Keys are path-like: segments of [A-Za-z0-9._=-], joined by `/`, none of
 * them `.` or `..` or empty.
 */
export const objectKeyBytesMax = 1024;

/** An operational failure of the store: retry within bounds, with jitter, if `retriable`. */
export class ObjectError extends Error {
  override readonly name = "ObjectError";
  readonly retriable: boolean;
  /** Whether the failed call may have had its effect. */
  readonly applied: "no" | "maybe";

  constructor(
    message: string,
    details: {
      readonly retriable: boolean;
      readonly applied: "no" | "maybe";
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: details.cause });
    this.retriable = details.retriable;
    this.applied = details.applied;
  }
}
