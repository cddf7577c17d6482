import {
  type Condition,
  type Item,
  type ItemValue,
  keyPartition,
  MetadataError,
  type Write,
} from "@millrace/core";

/**
 * How an item lies in the table: the partition of its key (`pk`), the key itself (`sk`), its
 * version, its value as JSON, the value's epoch if it has one, and the id of the write that made it
 * so, which no other write has.
 *
 * The value is one string, not a map: DynamoDB bills about the same bytes for both, and JSON needs
 * no translation. The key is ASCII, so that DynamoDB's order by bytes is the port's.
 */
export type Attributes = Record<string, AttributeValue>;
type AttributeValue = { S: string } | { N: string };

/** An item with the id of the write that made it so. */
export interface StoredItem {
  readonly item: Item;
  /** Of its value as JSON. */
  readonly bytes: number;
  readonly writeId: string;
}

export function keyAttributes(key: string): { pk: { S: string }; sk: { S: string } } {
  return { pk: { S: keyPartition(key) }, sk: { S: key } };
}

/** Throws MetadataError when the item is not one of this store. */
export function storedItem(attributes: Record<string, unknown>): StoredItem {
  const key = textOf(attributes["sk"], "S");
  const version = Number(textOf(attributes["version"], "N"));
  const json = textOf(attributes["value"], "S");
  const writeId = textOf(attributes["writeId"], "S");
  const isWhole = key !== undefined && json !== undefined && writeId !== undefined;
  if (!isWhole || !Number.isSafeInteger(version) || version < 1) throw damaged(key);
  return { item: { key, version, value: valueOf(key, json) }, bytes: json.length, writeId };
}

function valueOf(key: string, json: string): ItemValue {
  try {
    return JSON.parse(json) as ItemValue;
  } catch (cause) {
    throw damaged(key, cause);
  }
}

function damaged(key: string | undefined, cause?: unknown): MetadataError {
  const details = { retriable: false, applied: "no", cause } as const;
  return new MetadataError(`the item ${key ?? "without a key"} is damaged`, details);
}

function textOf(attribute: unknown, type: "S" | "N"): string | undefined {
  const text = (attribute as { readonly [name: string]: unknown } | undefined)?.[type];
  return typeof text === "string" ? text : undefined;
}

/** The value's epoch as the port counts it: 0 if there is none. */
export function epochOf(value: ItemValue): number {
  const { epoch } = value as { readonly epoch?: unknown };
  return isEpoch(epoch) ? epoch : 0;
}

/** Other numbers are null in JSON. */
function isEpoch(epoch: unknown): epoch is number {
  return typeof epoch === "number" && Number.isFinite(epoch);
}

/** What a request says in DynamoDB's expressions, with just the names and values that they use. */
export interface Expression {
  readonly text: string;
  readonly names: Readonly<Record<string, string>>;
  readonly values: Attributes;
}

/** Writes the value over what is there, or anew. */
export function updateOf(
  { value }: Extract<Write, { readonly kind: "put" }>,
  written: { readonly json: string; readonly writeId: string },
): Expression {
  const { epoch } = value as { readonly epoch?: unknown };
  const common = "#value = :value, #writeId = :writeId";
  const version = "#version = if_not_exists(#version, :none) + :one";
  const set = `SET ${common}, ${version}`;
  const values: Attributes = {
    ":value": { S: written.json },
    ":writeId": { S: written.writeId },
    ":none": { N: "0" },
    ":one": { N: "1" },
  };
  const names = {
    "#value": "value",
    "#writeId": "writeId",
    "#version": "version",
    "#epoch": "epoch",
  };
  if (!isEpoch(epoch)) return { text: `${set} REMOVE #epoch`, names, values };
  const text = `${set}, #epoch = :epoch`;
  return { text, names, values: { ...values, ":epoch": { N: String(epoch) } } };
}

export function conditionOf(condition: Condition): Expression {
  switch (condition.is) {
    case "absent":
      return { text: "attribute_not_exists(#pk)", names: { "#pk": "pk" }, values: {} };
    case "version": {
      const values = { ":wanted": { N: String(condition.version) } };
      return { text: "#version = :wanted", names: { "#version": "version" }, values };
    }
    case "epochAtMost": {
      const values = { ":atMost": { N: String(condition.epoch) } };
      const isAtMost = "#epoch <= :atMost";
      // An item without an epoch, and one that is absent, has epoch 0.
      const text = condition.epoch < 0 ? isAtMost : `(attribute_not_exists(#epoch) OR ${isAtMost})`;
      return { text, names: { "#epoch": "epoch" }, values };
    }
  }
}

/** Exactly what that write left, untouched since. */
export function conditionOnState(writeId: string): Expression {
  const values = { ":state": { S: writeId } };
  return { text: "#writeId = :state", names: { "#writeId": "writeId" }, values };
}
