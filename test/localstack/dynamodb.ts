interface TablePage {
  readonly TableNames: readonly string[];
  /** Absent from the last page. */
  readonly LastEvaluatedTableName?: string;
}

/** DynamoDB's own requests, by name: for what the project asks of it nowhere else. */
export class DynamoDb {
  readonly #endpoint: string;

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  async ask<Answer>(
    operation: string,
    input: object,
    api: "DynamoDB_20120810" | "DynamoDBStreams_20120810" = "DynamoDB_20120810",
  ): Promise<Answer> {
    const service = "dynamodb";
    const response = await fetch(this.#endpoint, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": `${api}.${operation}`,
        // Who stands in reads the name of the key, and checks no signature.
        authorization: `AWS4-HMAC-SHA256 Credential=nobody/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`,
      },
      body: JSON.stringify(input),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${operation}: ${response.status} ${text}`);
    return JSON.parse(text) as Answer;
  }

  async tableNames(): Promise<readonly string[]> {
    const names: string[] = [];
    for (let after: string | undefined, isLast = false; !isLast; isLast = after === undefined) {
      const start = after === undefined ? {} : { ExclusiveStartTableName: after };
      const page = await this.ask<TablePage>("ListTables", start);
      names.push(...page.TableNames);
      after = page.LastEvaluatedTableName;
    }
    return names;
  }

  /** The control table as the template has it; its stream's ARN. */
  async createControlTable(
    name: string,
    properties: Readonly<Record<string, unknown>>,
  ): Promise<string> {
    const { AttributeDefinitions, BillingMode, KeySchema, StreamSpecification } = properties;
    const { TableDescription } = await this.ask<{
      readonly TableDescription: { readonly LatestStreamArn: string };
    }>("CreateTable", {
      ...{ TableName: name, AttributeDefinitions, BillingMode, KeySchema },
      StreamSpecification: { StreamEnabled: true, ...(StreamSpecification as object) },
    });
    return TableDescription.LatestStreamArn;
  }
}

interface StreamRecord {
  readonly eventName: string;
  readonly dynamodb: { readonly Keys: { readonly pk: { readonly S: string } } };
}

const pollMs = 100;

/**
 * What Lambda's event source mapping does: reads the stream's records from the first on, and hands
 * those that the filter lets through to the function, one each.
 */
export class StreamPump {
  readonly #dynamodb: DynamoDb;
  readonly #arn: string;
  readonly #deliver: (event: object) => Promise<unknown>;
  readonly #iterators = new Map<string, string | undefined>();
  readonly #running: Promise<void>;
  #stopped = false;
  failure: unknown;

  constructor(dynamodb: DynamoDb, arn: string, deliver: (event: object) => Promise<unknown>) {
    this.#dynamodb = dynamodb;
    this.#arn = arn;
    this.#deliver = deliver;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#look();
      } catch (error) {
        this.failure = error;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  async #look(): Promise<void> {
    const StreamArn = this.#arn;
    const { StreamDescription } = await this.#streams<{
      readonly StreamDescription: { readonly Shards: readonly { readonly ShardId: string }[] };
    }>("DescribeStream", { StreamArn });
    for (const { ShardId } of StreamDescription.Shards) {
      if (this.#iterators.has(ShardId)) continue;
      const first = { StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" };
      const { ShardIterator } = await this.#streams<{ ShardIterator: string }>(
        "GetShardIterator",
        first,
      );
      this.#iterators.set(ShardId, ShardIterator);
    }
    for (const [shard, iterator] of this.#iterators) {
      if (iterator === undefined) continue;
      const { NextShardIterator, Records } = await this.#streams<{
        readonly NextShardIterator?: string;
        readonly Records: readonly StreamRecord[];
      }>("GetRecords", { ShardIterator: iterator });
      this.#iterators.set(shard, NextShardIterator);
      for (const record of Records) this.#hand(record);
    }
  }

  #hand(record: StreamRecord): void {
    // The filter of the template's event source mapping.
    const isOperation = record.dynamodb.Keys.pk.S === "control/operation";
    if (record.eventName !== "INSERT" || !isOperation) return;
    const event = { Records: [{ ...record, eventSourceARN: this.#arn }] };
    this.#deliver(event).catch((error: unknown) => {
      this.failure = error;
    });
  }

  #streams<Answer>(operation: string, input: object): Promise<Answer> {
    return this.#dynamodb.ask<Answer>(operation, input, "DynamoDBStreams_20120810");
  }
}
