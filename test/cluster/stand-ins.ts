/** What stands in for S3 and DynamoDB: moto and DynamoDB Local, as the contract suites run them. */
import type { SharedStores } from "../../tools/cluster-options.ts";
import { makeTable } from "../contract/dynamodb/kit.ts";
import { startDynamoDbLocal } from "../contract/dynamodb/dynamodb-local.ts";
import { startMoto } from "../contract/s3/moto-server.ts";

const region = "us-east-1";
const bucket = "cluster";

export interface StandIns {
  readonly stores: SharedStores;
  stop(): Promise<void>;
}

/** Installs them at the first use, and starts them. Brokers get credentials by the environment. */
export async function startStandIns(): Promise<StandIns> {
  // The servers take any; the SDK looks for some.
  process.env["AWS_ACCESS_KEY_ID"] = "nobody";
  process.env["AWS_SECRET_ACCESS_KEY"] = "nothing";
  const [s3, dynamoDb] = await Promise.all([startMoto(), startDynamoDbLocal()]);
  const stop = async (): Promise<void> => {
    await Promise.all([s3.stop(), dynamoDb.stop()]);
  };
  try {
    const made = await fetch(`${s3.endpoint}/${bucket}`, { method: "PUT" });
    if (!made.ok) throw new Error(`the bucket: ${made.status} ${await made.text()}`);
    const table = await makeTable(dynamoDb.endpoint);
    const metadata = { uri: `dynamodb://${table}`, endpoint: dynamoDb.endpoint, region };
    const objects = { uri: `s3://${bucket}/run`, endpoint: s3.endpoint, region };
    return { stores: { metadata, objects }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
