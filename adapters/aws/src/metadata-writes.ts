import type * as DynamoDb from "@aws-sdk/client-dynamodb";
import {
  billedBytes,
  type Clock,
  type Condition,
  holds,
  MetadataError,
  type Random,
  type TransactOutcome,
  type Write,
  writeUnits,
} from "@millrace/core";
import { cancellationReasons, conditionFailed, dynamoDbError } from "./dynamodb-errors.ts";
import {
  type Expression,
  conditionOf,
  conditionOnState,
  keyAttributes,
  type StoredItem,
  storedItem,
  updateOf,
} from "./metadata-items.ts";
import type { KnownState, KnownStates } from "./metadata-known.ts";
import type { MetadataRequests } from "./metadata-requests.ts";
import { WriteTries } from "./metadata-tries.ts";

export interface WriteDeps {
  readonly requests: MetadataRequests;
  readonly known: KnownStates;
  readonly clock: Clock;
  readonly random: Random;
}

type Put = Extract<Write, { readonly kind: "put" }>;

/**
 * All of the writes in one TransactWriteItems, which bills each twice. Every try has the same token
 * and the same content, so that DynamoDB answers a try after one whose reply was lost with success,
 * and applies nothing twice, for ten minutes. A refusal that finds this transaction's own write is
 * its success as well.
 *
 * A try without an answer may still be under way when a later one is refused; it then has its
 * effect if the conditions come to hold again.
 */
export async function writeTogether(
  deps: WriteDeps,
  writes: readonly Write[],
  jsons: readonly string[],
): Promise<TransactOutcome> {
  const { requests } = deps;
  const { table } = requests;
  const writeId = newWriteId(deps.random);
  const done = (): TransactOutcome => {
    for (const write of writes) deps.known.written(write, writeId);
    return { ok: true };
  };
  const TransactItems = writes.map((write, index) =>
    transactItem(write, { table, json: jsons[index] ?? "", writeId }),
  );
  const tries = new WriteTries(deps);
  for (;;) {
    try {
      await requests.transact({ TransactItems, ClientRequestToken: writeId });
      return done();
    } catch (error) {
      const found = foundByRefusal(error, writes);
      if (found !== undefined && !isOwn(found, writeId))
        return refused(deps, { writes, jsons, found });
      if (found !== undefined) return done();
      await tries.failed(dynamoDbError("the metadata could not be written", error, "lasting"));
    }
  }
}

/**
 * One value over a state that is known, by an UpdateItem on condition of exactly that state, which
 * bills once. No two states of an item have the same write id, so that a try that arrives late, or
 * twice, is refused, and a refusal that finds this write's own id is its success.
 *
 * Undefined: the item is not there any more, and nothing was written.
 */
export async function writeOver(
  deps: WriteDeps,
  put: Put,
  written: { readonly json: string; readonly over: KnownState },
): Promise<TransactOutcome | undefined> {
  const { known, requests } = deps;
  const writeId = newWriteId(deps.random);
  const tries = new WriteTries(deps);
  let { over } = written;
  for (;;) {
    try {
      await requests.update(updateOver(put, { json: written.json, writeId, over }));
      known.written(put, writeId, over);
      return { ok: true };
    } catch (error) {
      if (!isRefusal(error)) {
        await tries.failed(dynamoDbError(`${put.key} could not be written`, error, "lasting"));
        continue;
      }
      const found = foundIn(error);
      requests.countRefused("put", unitsOf({ key: put.key, json: written.json, found }));
      if (found !== undefined) known.found(found);
      if (found?.writeId === writeId) return { ok: true };
      if (tries.mayBeApplied) throw overwritten(put.key);
      if (!holds(put.condition, found?.item))
        return { ok: false, refused: [{ key: put.key, found: found?.item }] };
      const state = found && known.get(put.key);
      if (state === undefined) return undefined;
      over = state;
      await tries.failed(inTheWay(put.key));
    }
  }
}

function newWriteId(random: Random): string {
  return Buffer.from(random.bytes(writeIdBytes)).toString("base64url");
}

const writeIdBytes = 16;

function updateOver(
  put: Put,
  written: { readonly json: string; readonly writeId: string; readonly over: KnownState },
): Omit<DynamoDb.UpdateItemCommandInput, "TableName"> {
  const condition = conditionOnState(written.over.writeId);
  return { Key: keyAttributes(put.key), ...updateExpressions(updateOf(put, written), condition) };
}

function transactItem(
  write: Write,
  written: { readonly table: string; readonly json: string; readonly writeId: string },
): DynamoDb.TransactWriteItem {
  const at = { TableName: written.table, Key: keyAttributes(write.key) };
  switch (write.kind) {
    case "check":
      return { ConditionCheck: { ...at, ...conditionExpressions(write.condition) } };
    case "delete":
      return { Delete: { ...at, ...(write.condition && conditionExpressions(write.condition)) } };
    case "put": {
      const condition = write.condition && conditionOf(write.condition);
      return { Update: { ...at, ...updateExpressions(updateOf(write, written), condition) } };
    }
  }
}

function conditionExpressions(condition: Condition) {
  const { names, text, values } = conditionOf(condition);
  const hasValues = Object.keys(values).length > 0;
  return {
    ConditionExpression: text,
    ExpressionAttributeNames: { ...names },
    // DynamoDB refuses an empty map.
    ...(hasValues ? { ExpressionAttributeValues: { ...values } } : {}),
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  } as const;
}

function updateExpressions(update: Expression, condition: Expression | undefined) {
  return {
    UpdateExpression: update.text,
    ExpressionAttributeNames: { ...update.names, ...condition?.names },
    ExpressionAttributeValues: { ...update.values, ...condition?.values },
    ...(condition === undefined
      ? {}
      : {
          ConditionExpression: condition.text,
          ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const,
        }),
  };
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === "ConditionalCheckFailedException";
}

function foundIn(refusal: unknown): StoredItem | undefined {
  const { Item } = refusal as { readonly Item?: Record<string, unknown> };
  return Item === undefined ? undefined : storedItem(Item);
}

interface Refused {
  readonly writes: readonly Write[];
  readonly jsons: readonly string[];
  /** By the writes' keys; undefined: nothing was there. */
  readonly found: ReadonlyMap<string, StoredItem | undefined>;
}

/** What was found where a condition did not hold; undefined: no condition was the reason. */
function foundByRefusal(error: unknown, writes: readonly Write[]): Refused["found"] | undefined {
  const found = new Map<string, StoredItem | undefined>();
  for (const [index, { Code, Item }] of (cancellationReasons(error) ?? []).entries()) {
    const write = writes[index];
    if (Code !== conditionFailed || write === undefined) continue;
    found.set(write.key, Item === undefined ? undefined : storedItem(Item));
  }
  return found.size === 0 ? undefined : found;
}

function isOwn(found: Refused["found"], writeId: string): boolean {
  return [...found.values()].some((stored) => stored?.writeId === writeId);
}

function refused(deps: WriteDeps, { found, jsons, writes }: Refused): TransactOutcome {
  let units = 0;
  for (const [index, { key }] of writes.entries()) {
    units += 2 * unitsOf({ key, json: jsons[index] ?? "", found: found.get(key) });
  }
  deps.requests.countRefused("transact", units);
  for (const stored of found.values()) if (stored !== undefined) deps.known.found(stored);
  const pairs = [...found].map(([key, stored]) => ({ key, found: stored?.item }));
  return { ok: false, refused: pairs };
}

/** An earlier try may have been applied, and another write since then. */
function overwritten(key: string): MetadataError {
  const message = `${key} was written by somebody else after a try that had no answer`;
  return new MetadataError(message, { retriable: true, applied: "maybe" });
}

function inTheWay(key: string): MetadataError {
  return new MetadataError(`others write ${key}`, { retriable: true, applied: "no" });
}

/** About what a write is billed by itself: by the larger of what it leaves and what it finds. */
function unitsOf({
  found,
  json,
  key,
}: {
  readonly key: string;
  readonly json: string;
  readonly found: StoredItem | undefined;
}): number {
  return writeUnits(billedBytes({ key, jsonBytes: Math.max(json.length, found?.bytes ?? 0) }));
}
