import type * as DynamoDb from "@aws-sdk/client-dynamodb";
import {
  asClusterId,
  type Clock,
  type ClusterId,
  type DriverResource,
  type MetadataStore,
  type ObservedCluster,
  type Random,
} from "@millrace/core";
import { type AwsPlace, clusterTag, controlClientConfig } from "./control-client.ts";
import { asked, askedPlainly } from "./driver-errors.ts";
import { DynamoDbMetadataStore } from "./metadata-store.ts";
import { tableShape } from "./metadata-table.ts";

export interface ClusterTablesOptions extends AwsPlace {
  /** A table's name is this and the cluster's id. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether tables can be brought back to any moment of the last 35 days; DynamoDB Local can't. */
  readonly isRecoverable?: boolean;
}

/** Each cluster's metadata in a table of its own, billed by request. All calls throw DriverError. */
export class DynamoDbClusterTables {
  readonly #sdk: typeof DynamoDb;
  readonly #client: DynamoDb.DynamoDBClient;
  readonly #options: ClusterTablesOptions;

  private constructor(sdk: typeof DynamoDb, options: ClusterTablesOptions) {
    this.#sdk = sdk;
    this.#client = new sdk.DynamoDBClient(controlClientConfig(options));
    this.#options = options;
  }

  static async open(options: ClusterTablesOptions): Promise<DynamoDbClusterTables> {
    return new DynamoDbClusterTables(await import("@aws-sdk/client-dynamodb"), options);
  }

  tableName(cluster: ClusterId): string {
    return `${this.#options.prefix}${cluster}`;
  }

  /** For brokers. */
  place(cluster: ClusterId): {
    readonly uri: string;
    readonly endpoint: string | undefined;
    readonly region: string | undefined;
  } {
    const { endpoint, region } = this.#options;
    return { uri: `dynamodb://${this.tableName(cluster)}`, endpoint, region };
  }

  /** Made now, a table can be made recoverable when it is active: by a later call. */
  async ensure(cluster: ClusterId): Promise<void> {
    const made = await this.#create(cluster);
    if (made === "exists" && this.#options.isRecoverable === true) {
      await this.#makeRecoverable(cluster);
    }
  }

  async #create(cluster: ClusterId): Promise<"created" | "exists"> {
    const command = new this.#sdk.CreateTableCommand({
      ...tableShape(this.tableName(cluster)),
      DeletionProtectionEnabled: false,
      Tags: [{ Key: clusterTag, Value: cluster }],
    });
    const made = await asked("the table can't be made", () => this.#client.send(command), {
      names: ["ResourceInUseException"],
      otherwise: "exists",
    } as const);
    return made === "exists" ? made : "created";
  }

  async #makeRecoverable(cluster: ClusterId): Promise<void> {
    const command = new this.#sdk.UpdateContinuousBackupsCommand({
      TableName: this.tableName(cluster),
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    });
    await asked("the table can't be made recoverable", () => this.#client.send(command), {
      // It is not active (any more), or another call makes it so.
      names: [
        ...["ContinuousBackupsUnavailableException", "TableNotFoundException"],
        "ResourceInUseException",
      ],
      otherwise: undefined,
    });
  }

  /** Of a table that was there a moment ago: nobody may take one that is going for one to be made. */
  async #recoverableState(cluster: ClusterId): Promise<"ready" | "stopped" | "removing"> {
    if (this.#options.isRecoverable !== true) return "ready";
    const TableName = this.tableName(cluster);
    const command = new this.#sdk.DescribeContinuousBackupsCommand({ TableName });
    const found = await asked(
      "the table's backups can't be looked at",
      () => this.#client.send(command),
      { names: ["TableNotFoundException"], otherwise: undefined },
    );
    if (found === undefined) return "removing";
    const { PointInTimeRecoveryDescription: recovery } = found.ContinuousBackupsDescription ?? {};
    return recovery?.PointInTimeRecoveryStatus === "ENABLED" ? "ready" : "stopped";
  }

  async state(cluster: ClusterId): Promise<ObservedCluster["store"]> {
    const command = new this.#sdk.DescribeTableCommand({ TableName: this.tableName(cluster) });
    const found = await asked("the table can't be looked at", () => this.#client.send(command), {
      names: ["ResourceNotFoundException"],
      otherwise: undefined,
    });
    switch (found?.Table?.TableStatus) {
      case undefined:
        return "absent";
      case "DELETING":
        return "removing";
      case "CREATING":
        return "creating";
      default:
        return this.#recoverableState(cluster);
    }
  }

  async remove(cluster: ClusterId): Promise<void> {
    const command = new this.#sdk.DeleteTableCommand({ TableName: this.tableName(cluster) });
    await asked("the table can't be deleted", () => this.#client.send(command), {
      // The second: it is being deleted already.
      names: ["ResourceNotFoundException", "ResourceInUseException"],
      otherwise: undefined,
    });
  }

  open(cluster: ClusterId): Promise<MetadataStore> {
    const { clock, credentials, endpoint, random, region } = this.#options;
    return DynamoDbMetadataStore.open({
      ...{ clock, random, table: this.tableName(cluster) },
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(region === undefined ? {} : { region }),
      ...(credentials === undefined ? {} : { credentials }),
    });
  }

  async list(): Promise<readonly DriverResource[]> {
    const { prefix } = this.#options;
    const found: DriverResource[] = [];
    let after: string | undefined;
    do {
      const command = new this.#sdk.ListTablesCommand({ ExclusiveStartTableName: after });
      const page = await askedPlainly("tables can't be listed", () => this.#client.send(command));
      for (const name of page.TableNames ?? []) {
        const cluster = name.startsWith(prefix)
          ? asClusterId(name.slice(prefix.length))
          : undefined;
        if (cluster !== undefined) found.push({ cluster, kind: "dynamodb table", name });
      }
      after = page.LastEvaluatedTableName;
    } while (after !== undefined);
    return found;
  }

  close(): void {
    this.#client.destroy();
  }
}
