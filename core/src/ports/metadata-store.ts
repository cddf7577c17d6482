/**
 * A versioned key-value store with conditional transactions. It knows nothing of Kafka.
 *
 * Not promised: that a write whose reply was lost had no effect (a MetadataError says `applied`);
 * that two transactions on one key at once both get through; anything about time.
 * Promised: a transaction is applied whole or not at all, and is durable when its promise resolves
 * (power loss included); `get` and `range` see every transaction that resolved before the call.
 */
export interface MetadataStore {
  /** A strong read. */
  get(key: string): Promise<Item | undefined>;
  /** Items with `from` <= key < `to`, ascending by UTF-16 code units, at most `limit` of them. */
  range(range: KeyRange): Promise<Page>;
  /** At most `transactWritesMax` writes, each to a key of its own. */
  transact(writes: readonly Write[]): Promise<TransactOutcome>;
  close(): Promise<void>;
}

/** A transaction's most writes: DynamoDB's limit, held by every adapter. */
export const transactWritesMax = 100;
/** An item's most bytes as JSON: below DynamoDB's 400 KB, held by every adapter. */
export const itemBytesMax = 380_000;
/** A key's most bytes in UTF-8. */
export const keyBytesMax = 1024;

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

export interface KeyRange {
  readonly from: string;
  /** Exclusive. */
  readonly to: string;
  readonly limit: number;
}

export interface Page {
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
