import type * as DynamoDb from "@aws-sdk/client-dynamodb";
import { connectionsMax, dynamoDbConnectMsMax } from "./limits.ts";

export interface DynamoDbPlace {
  readonly table: string;
  /** Of a server that speaks DynamoDB, as `http://127.0.0.1:8000`; AWS's own if absent. */
  readonly endpoint?: string;
  /** From the environment or AWS's configuration files if absent. */
  readonly region?: string;
  /** From the SDK's usual places if absent. */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
}

/** A client that tries each request once: who knows what was asked also knows what to try again. */
export function makeDynamoDbClient(
  sdk: typeof DynamoDb,
  { endpoint, region: named, credentials }: DynamoDbPlace,
): DynamoDb.DynamoDBClient {
  // Such a server has no regions, but a signature has.
  const region = named ?? (endpoint === undefined ? undefined : "us-east-1");
  const agent = { keepAlive: true, maxSockets: connectionsMax };
  return new sdk.DynamoDBClient({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: dynamoDbConnectMsMax,
      httpAgent: agent,
      httpsAgent: agent,
    },
  });
}
