import {
  type Condition,
  type Item,
  type ItemValue,
  jsonsOf,
  MetadataError,
  type Page,
  type TransactOutcome,
  type Write,
} from "@millrace/core";

/** An item whose value is JSON that nobody has parsed. */
export interface ItemBytes {
  readonly key: string;
  readonly version: number;
  /** UTF-8. */
  readonly json: Uint8Array;
}

export interface PageBytes {
  readonly items: readonly ItemBytes[];
  readonly next?: string;
}

export type WriteBytes =
  | {
      readonly kind: "put";
      readonly key: string;
      /** UTF-8; stored as it is. */
      readonly json: Uint8Array;
      readonly condition?: Condition;
    }
  | Extract<Write, { readonly kind: "delete" | "check" }>;

export type TransactBytes =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly refused: readonly { readonly key: string; readonly found: ItemBytes | undefined }[];
    };

/** Throws MetadataError when the value is not JSON. */
export function parsedItem({ key, version, json }: ItemBytes): Item {
  try {
    return { key, version, value: JSON.parse(Buffer.from(json).toString("utf8")) as ItemValue };
  } catch (cause) {
    throw damagedItem(key, cause);
  }
}

export function parsedPage({ items, next }: PageBytes): Page {
  const page = { items: items.map(parsedItem) };
  return next === undefined ? page : { ...page, next };
}

export function parsedOutcome(outcome: TransactBytes): TransactOutcome {
  if (outcome.ok) return outcome;
  const refused = outcome.refused.map(({ key, found }) => ({
    key,
    found: found === undefined ? undefined : parsedItem(found),
  }));
  return { ok: false, refused };
}

export function damagedItem(key: string, cause?: unknown): MetadataError {
  const details = { retriable: false, applied: "no", cause } as const;
  return new MetadataError(`the item ${key} is damaged`, details);
}

/** Throws on a bug of the caller: see `jsonsOf`. */
export function withJsons(writes: readonly Write[]): readonly WriteBytes[] {
  const jsons = jsonsOf(writes);
  return writes.map((write, index): WriteBytes => {
    if (write.kind !== "put") return write;
    const { kind, key, condition } = write;
    const json = Buffer.from(jsons[index] ?? "");
    return condition === undefined ? { kind, key, json } : { kind, key, json, condition };
  });
}
