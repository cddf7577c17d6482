import type * as DynamoDb from "@aws-sdk/client-dynamodb";
import { type Clock, MetadataError, type MetadataOperation, type OnConsumed } from "@millrace/core";
import { dynamoDbRequestMsMax } from "./limits.ts";
import { withinTime } from "./s3-requests.ts";

/** The requests of one store, each tried once and within a time; counts what they cost. */
export class MetadataRequests {
  readonly sdk: typeof DynamoDb;
  readonly table: string;
  readonly #client: DynamoDb.DynamoDBClient;
  readonly #clock: Clock;
  readonly #onConsumed: OnConsumed;
  #isClosed = false;

  constructor(options: {
    readonly sdk: typeof DynamoDb;
    readonly client: DynamoDb.DynamoDBClient;
    readonly table: string;
    readonly clock: Clock;
    readonly onConsumed: OnConsumed;
  }) {
    this.sdk = options.sdk;
    this.table = options.table;
    this.#client = options.client;
    this.#clock = options.clock;
    this.#onConsumed = options.onConsumed;
  }

  async get(
    input: Omit<DynamoDb.GetItemCommandInput, "TableName">,
  ): Promise<DynamoDb.GetItemCommandOutput> {
    const command = new this.sdk.GetItemCommand({ ...input, ...this.#common });
    const output = await this.#within((options) => this.#client.send(command, options));
    this.#count("get", output.ConsumedCapacity);
    return output;
  }

  async query(
    input: Omit<DynamoDb.QueryCommandInput, "TableName">,
  ): Promise<DynamoDb.QueryCommandOutput> {
    const command = new this.sdk.QueryCommand({ ...input, ...this.#common });
    const output = await this.#within((options) => this.#client.send(command, options));
    this.#count("range", output.ConsumedCapacity);
    return output;
  }

  async update(input: Omit<DynamoDb.UpdateItemCommandInput, "TableName">): Promise<void> {
    const command = new this.sdk.UpdateItemCommand({ ...input, ...this.#common });
    const output = await this.#within((options) => this.#client.send(command, options));
    this.#count("put", output.ConsumedCapacity);
  }

  async transact(input: DynamoDb.TransactWriteItemsCommandInput): Promise<void> {
    const { ReturnConsumedCapacity } = this.#common;
    const command = new this.sdk.TransactWriteItemsCommand({ ...input, ReturnConsumedCapacity });
    const output = await this.#within((options) => this.#client.send(command, options));
    for (const consumed of output.ConsumedCapacity ?? []) this.#count("transact", consumed);
  }

  /** A refusal is billed, but DynamoDB does not say how. */
  countRefused(operation: "put" | "transact", units: number): void {
    this.#onConsumed({ operation, kind: "write", units });
  }

  checkOpen(): void {
    if (!this.#isClosed) return;
    throw new MetadataError("the store is closed", { retriable: false, applied: "no" });
  }

  close(): void {
    this.#isClosed = true;
    this.#client.destroy();
  }

  get #common() {
    return { TableName: this.table, ReturnConsumedCapacity: "TOTAL" } as const;
  }

  #within<Output>(
    send: (options: { readonly abortSignal: AbortSignal }) => Promise<Output>,
  ): Promise<Output> {
    const time = { clock: this.#clock, msMax: dynamoDbRequestMsMax };
    return withinTime(time, (abortSignal) => send({ abortSignal }));
  }

  #count(operation: MetadataOperation, consumed: DynamoDb.ConsumedCapacity | undefined): void {
    if (consumed === undefined) return;
    const { CapacityUnits = 0, ReadCapacityUnits = 0, WriteCapacityUnits = 0 } = consumed;
    const isRead = operation === "get" || operation === "range";
    // Only of a transaction both are told: one that was done before is read.
    const read = isRead ? CapacityUnits : ReadCapacityUnits;
    const written = isRead ? 0 : WriteCapacityUnits || CapacityUnits - ReadCapacityUnits;
    if (read > 0) this.#onConsumed({ operation, kind: "read", units: read });
    if (written > 0) this.#onConsumed({ operation, kind: "write", units: written });
  }
}
