import type * as DynamoDb from "@aws-sdk/client-dynamodb";
import {
  assertKey,
  type Clock,
  type Consistency,
  holds,
  type Item,
  jsonsOf,
  type KeyRange,
  type MetadataStore,
  type OnConsumed,
  type Page,
  pageBytesMax,
  type Random,
  rangePartition,
  type TransactOutcome,
  type Write,
} from "@millrace/core";
import { type DynamoDbPlace, makeDynamoDbClient } from "./dynamodb-client.ts";
import { dynamoDbError } from "./dynamodb-errors.ts";
import { keyAttributes, type StoredItem, storedItem } from "./metadata-items.ts";
import { holdsFor, KnownStates } from "./metadata-known.ts";
import { MetadataRequests } from "./metadata-requests.ts";
import { type WriteDeps, writeOver, writeTogether } from "./metadata-writes.ts";

export interface DynamoDbMetadataStoreOptions extends DynamoDbPlace {
  readonly clock: Clock;
  readonly random: Random;
  /** Told what each request cost. */
  readonly onConsumed?: OnConsumed;
}

/**
 * Items in one table of DynamoDB, or of a server that speaks it (`createMetadataTable`), for one
 * cluster alone.
 *
 * Reads are tried once: the caller retries, and knows when a read began that counts as evidence.
 * Writes are tried several times, with waits, because only here it is known what would be the same
 * write again: so "applied, reply lost" becomes the success that it was. What is left is a
 * MetadataError.
 *
 * Several writes are one TransactWriteItems; so is a creation or a deletion, where an item's
 * absence could hide that it was there. A value over a state that this store has read or written
 * goes by UpdateItem, for half the price, and a lone check is a read.
 */
export class DynamoDbMetadataStore implements MetadataStore {
  readonly #requests: MetadataRequests;
  readonly #known: KnownStates = new KnownStates();
  readonly #writes: WriteDeps;

  private constructor(sdk: typeof DynamoDb, options: DynamoDbMetadataStoreOptions) {
    const { clock, onConsumed = () => undefined, random, table } = options;
    const client = makeDynamoDbClient(sdk, options);
    this.#requests = new MetadataRequests({ sdk, client, table, clock, onConsumed });
    this.#writes = { requests: this.#requests, known: this.#known, clock, random };
  }

  /** Loads the SDK, which is loaded nowhere else; sends nothing. */
  static async open(options: DynamoDbMetadataStoreOptions): Promise<DynamoDbMetadataStore> {
    return new DynamoDbMetadataStore(await import("@aws-sdk/client-dynamodb"), options);
  }

  async get(key: string, consistency: Consistency = "strong"): Promise<Item | undefined> {
    this.#requests.checkOpen();
    assertKey(key);
    const isStrong = consistency === "strong";
    try {
      const found = await this.#requests.get({ Key: keyAttributes(key), ConsistentRead: isStrong });
      return found.Item === undefined ? undefined : this.#read(found.Item, isStrong).item;
    } catch (error) {
      throw dynamoDbError(`${key} could not be read`, error, "none");
    }
  }

  async range(range: KeyRange): Promise<Page> {
    this.#requests.checkOpen();
    const partition = rangePartition(range);
    if (range.from >= range.to) return { items: [] };
    try {
      return await this.#page(partition, range);
    } catch (error) {
      throw dynamoDbError(`${range.from} and on could not be read`, error, "none");
    }
  }

  async transact(writes: readonly Write[]): Promise<TransactOutcome> {
    this.#requests.checkOpen();
    const jsons = jsonsOf(writes);
    const [write, second] = writes;
    if (write === undefined) return { ok: true };
    const alone = second === undefined ? await this.#alone(write, jsons[0] ?? "") : undefined;
    return alone ?? writeTogether(this.#writes, writes, jsons);
  }

  async close(): Promise<void> {
    this.#requests.close();
  }

  /** Undefined: it takes a transaction. */
  async #alone(write: Write, json: string): Promise<TransactOutcome | undefined> {
    if (write.kind === "check") return this.#check(write);
    const over = this.#known.get(write.key);
    if (write.kind === "delete" || over === undefined) return undefined;
    if (!holdsFor(write.condition, over)) return undefined;
    return writeOver(this.#writes, write, { json, over });
  }

  async #check({ condition, key }: Extract<Write, { kind: "check" }>): Promise<TransactOutcome> {
    const found = await this.get(key);
    return holds(condition, found) ? { ok: true } : { ok: false, refused: [{ key, found }] };
  }

  /** Asks for one item more than the page may have: its key is where the next one begins. */
  async #page(partition: string, { from, to, limit, consistency }: KeyRange): Promise<Page> {
    const isStrong = consistency !== "eventual";
    const found: StoredItem[] = [];
    let start: DynamoDb.QueryCommandInput["ExclusiveStartKey"];
    do {
      const output = await this.#requests.query({
        KeyConditionExpression: "#pk = :pk AND #sk BETWEEN :from AND :to",
        ExpressionAttributeNames: { "#pk": "pk", "#sk": "sk" },
        ExpressionAttributeValues: {
          ":pk": { S: partition },
          ":from": { S: from },
          ":to": { S: to },
        },
        ConsistentRead: isStrong,
        Limit: limit + 1 - found.length,
        ...(start === undefined ? {} : { ExclusiveStartKey: start }),
      });
      for (const attributes of output.Items ?? []) found.push(this.#read(attributes, isStrong));
      start = output.LastEvaluatedKey;
      // DynamoDB ends a page after 1 MB: enough for one of this store, whose last item is read again.
    } while (start !== undefined && found.length < 2);
    return pageOf(found, { to, limit, isWhole: start === undefined });
  }

  #read(attributes: Record<string, unknown>, isStrong: boolean): StoredItem {
    const stored = storedItem(attributes);
    if (isStrong) this.#known.found(stored);
    return stored;
  }
}

function pageOf(
  found: readonly StoredItem[],
  {
    isWhole,
    limit,
    to,
  }: { readonly to: string; readonly limit: number; readonly isWhole: boolean },
): Page {
  // DynamoDB's BETWEEN has its end in it, the port's range has not.
  const inside = found.filter(({ item }) => item.key < to);
  const isAtEnd = isWhole || inside.length < found.length;
  const items: Item[] = [];
  let bytesRead = 0;
  for (const { bytes, item } of inside) {
    const isCut = !isAtEnd && items.length > 0 && items.length === inside.length - 1;
    if (items.length === limit || bytesRead >= pageBytesMax || isCut)
      return { items, next: item.key };
    items.push(item);
    bytesRead += bytes;
  }
  return { items };
}
