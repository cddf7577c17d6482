/**
 * A versioned key-value store with conditional transactions. It knows nothing of Kafka.
 *
 * Keys are of printable ASCII, without blanks. A key's *partition* is the part of it by which a
 * store may spread its items: the first two components (between `/`) of a key that has three or
 * more, otherwise the first. So `slot/00007/head` and `slot/00007/group/a` are in `slot/00007`,
 * and `topic/a` is in `topic`. A range lies in one partition; transactions may span partitions.
 *
 * Not promised: that a write whose reply was lost had no effect (a MetadataError says `applied`), or
 * that its effect does not come later, even after other writes: a condition on the version then
 * refuses it, of an item that was written since and is never deleted; that two transactions on one
 * key at once both get through; anything about time.
 * Promised: a transaction is applied whole or not at all, and is durable when its promise resolves
 * (power loss included); strong reads see every transaction that resolved before the call.
 */
export interface MetadataStore {
  /** Strong if nothing else is said. */
  get(key: string, consistency?: Consistency): Promise<Item | undefined>;
  /** Items with `from` <= key < `to`, ascending by characters, at most `limit` of them. */
  range(range: KeyRange): Promise<Page>;
  /** At most `transactWritesMax` writes, each to a key of its own. */
  transact(writes: readonly Write[]): Promise<TransactOutcome>;
  close(): Promise<void>;
}

/**
 * What a store can do besides that keeps the items of all its partitions in one order: find what is
 * there without asking every partition. LMDB does, DynamoDB does not.
 */
export interface KeySeeker {
  /**
   * The first key with `from` <= key < `to`, in whatever partition; undefined: there is none. As a
   * strong read. Throws MetadataError.
   */
  firstKey(bounds: Pick<KeyRange, "from" | "to">): Promise<string | undefined>;
}

/**
 * `strong`: the newest state. `eventual`: costs half, and shows each item as some earlier moment
 * had it: usually less than a second ago, but that is not promised, nor that the caller's own writes
 * are seen, that a later read does not go back, or that the items of one transaction, or of one
 * range, show the same moment. What was never committed is never shown.
 */
export type Consistency = "strong" | "eventual";

/** A transaction's most writes: DynamoDB's limit, held by every adapter. */
export const transactWritesMax = 100;
/** The most bytes of a transaction's values as JSON: below DynamoDB's 4 MB, held by every adapter. */
export const transactBytesMax = 3_800_000;
/** An item's most bytes as JSON: below DynamoDB's 400 KB, held by every adapter. */
export const itemBytesMax = 380_000;
/** A key's most characters, which are bytes. */
export const keyBytesMax = 1024;
/** A page ends with the item that brings its values' JSON to so many bytes. */
export const pageBytesMax = 1_000_000;

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

export type ItemValue = { readonly [name: string]: JsonValue };

export interface Item {
  readonly key: string;
  /** Rises by one with every write of the key; 1 for a new item, also after a deletion. */
  readonly version: number;
  readonly value: ItemValue;
}

/** Both bounds lie in one partition: `from` begins with it and a `/`. */
export interface KeyRange {
  readonly from: string;
  /** Exclusive; at most the partition and a `0`, which is the character after `/`. */
  readonly to: string;
  readonly limit: number;
  /** Strong if absent. */
  readonly consistency?: Consistency;
}

export interface Page {
  /** Fewer than the limit, though more follow, when they are large (`pageBytesMax`). */
  readonly items: readonly Item[];
  /** The `from` of the next page; absent at the end. */
  readonly next?: string;
}

/** Without a condition the write always holds. `epochAtMost` reads the value's `epoch` (0 if absent). */
export type Condition =
  | { readonly is: "absent" }
  | { readonly is: "version"; readonly version: number }
  | { readonly is: "epochAtMost"; readonly epoch: number };

export type Write =
  | {
      readonly kind: "put";
      readonly key: string;
      readonly value: ItemValue;
      readonly condition?: Condition;
    }
  | { readonly kind: "delete"; readonly key: string; readonly condition?: Condition }
  | { readonly kind: "check"; readonly key: string; readonly condition: Condition };

export type TransactOutcome =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** The writes whose conditions did not hold, with what was there instead. */
      readonly refused: readonly { readonly key: string; readonly found: Item | undefined }[];
    };

/** An operational failure of the store: retry within bounds, with jitter, if `retriable`. */
export class MetadataError extends Error {
  override readonly name = "MetadataError";
  readonly retriable: boolean;
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
