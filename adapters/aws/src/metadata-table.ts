import type * as DynamoDb from "@aws-sdk/client-dynamodb";
import { type Clock, MetadataError } from "@millrace/core";
import { type DynamoDbPlace, makeDynamoDbClient } from "./dynamodb-client.ts";
import { dynamoDbError } from "./dynamodb-errors.ts";
import { requestMsMax, tableMsMax, tablePollMs } from "./limits.ts";
import { withinTime } from "./s3-requests.ts";

export interface MetadataTableOptions extends DynamoDbPlace {
  readonly clock: Clock;
  /** Whether the table refuses to be deleted. */
  readonly isProtected?: boolean;
  /** Whether it can be brought back to any moment of the last 35 days; DynamoDB Local can't. */
  readonly isRecoverable?: boolean;
}

/**
 * Makes the table of a DynamoDbMetadataStore, billed by request, and waits until it can be used;
 * one of its name and shape that is there already will do. For stand-ins and tests: in AWS, tables
 * are made by what deploys them, and those of clusters by `DynamoDbClusterTables`. Throws
 * MetadataError.
 */
export async function createMetadataTable(options: MetadataTableOptions): Promise<void> {
  const sdk = await import("@aws-sdk/client-dynamodb");
  const client = makeDynamoDbClient(sdk, options);
  const tables = new Tables(sdk, client, options);
  try {
    await tables.create();
    await tables.untilActive();
    if (options.isRecoverable === true) await tables.makeRecoverable();
  } catch (error) {
    throw dynamoDbError(`the table ${options.table} could not be made`, error, "lasting");
  } finally {
    client.destroy();
  }
}

const keySchema: readonly DynamoDb.KeySchemaElement[] = [
  { AttributeName: "pk", KeyType: "HASH" },
  { AttributeName: "sk", KeyType: "RANGE" },
];

/** What a table of a DynamoDbMetadataStore must be. */
export function tableShape(
  table: string,
): Pick<
  DynamoDb.CreateTableCommandInput,
  "TableName" | "BillingMode" | "AttributeDefinitions" | "KeySchema"
> {
  return {
    TableName: table,
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: keySchema.map(({ AttributeName }) => ({
      AttributeName,
      AttributeType: "S",
    })),
    KeySchema: [...keySchema],
  };
}

class Tables {
  readonly #sdk: typeof DynamoDb;
  readonly #client: DynamoDb.DynamoDBClient;
  readonly #options: MetadataTableOptions;

  constructor(
    sdk: typeof DynamoDb,
    client: DynamoDb.DynamoDBClient,
    options: MetadataTableOptions,
  ) {
    this.#sdk = sdk;
    this.#client = client;
    this.#options = options;
  }

  async create(): Promise<void> {
    const command = new this.#sdk.CreateTableCommand({
      ...tableShape(this.#options.table),
      DeletionProtectionEnabled: this.#options.isProtected ?? false,
    });
    try {
      await this.#within((abortSignal) => this.#client.send(command, { abortSignal }));
    } catch (error) {
      const isThere = error instanceof Error && error.name === "ResourceInUseException";
      if (!isThere) throw error;
    }
  }

  async untilActive(): Promise<void> {
    const { clock, table } = this.#options;
    const startedMs = clock.monotonicMs();
    for (;;) {
      const command = new this.#sdk.DescribeTableCommand({ TableName: table });
      const { Table } = await this.#within((abortSignal) =>
        this.#client.send(command, { abortSignal }),
      );
      if (!hasKeys(Table)) throw unusable(`the table ${table} has other keys`);
      if (Table?.TableStatus === "ACTIVE") return;
      if (clock.monotonicMs() - startedMs > tableMsMax) {
        throw unusable(`the table ${table} is ${Table?.TableStatus}`);
      }
      await new Promise<void>((resolve) => clock.after(tablePollMs, resolve));
    }
  }

  async makeRecoverable(): Promise<void> {
    const command = new this.#sdk.UpdateContinuousBackupsCommand({
      TableName: this.#options.table,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    });
    await this.#within((abortSignal) => this.#client.send(command, { abortSignal }));
  }

  #within<Output>(request: (signal: AbortSignal) => Promise<Output>): Promise<Output> {
    return withinTime({ clock: this.#options.clock, msMax: requestMsMax }, request);
  }
}

function hasKeys(table: DynamoDb.TableDescription | undefined): boolean {
  const { AttributeDefinitions = [], KeySchema = [] } = table ?? {};
  const keys = KeySchema.map(({ AttributeName, KeyType }) => `${AttributeName} ${KeyType}`);
  const isText = keySchema.every(({ AttributeName }) =>
    AttributeDefinitions.some(
      (definition) =>
        definition.AttributeName === AttributeName && definition.AttributeType === "S",
    ),
  );
  return keys.join() === "pk HASH,sk RANGE" && isText;
}

function unusable(message: string): MetadataError {
  return new MetadataError(message, { retriable: false, applied: "maybe" });
}
