/**
 * Instead of ECS: brokers are processes of this machine, run from the files of their image, over the
 * tables and the bucket that brokers on AWS have. `MILLRACE_BROKERS_IN` names this module.
 */
import { S3ObjectStore } from "@millrace/adapter-aws";
import { DynamoDbClusterTables } from "@millrace/adapter-aws/cluster-tables";
import { ProcessDriver } from "@millrace/adapter-node/process-driver";
import type { BrokerDriver, ClusterId, ObjectStore } from "@millrace/core";
import { crc32c } from "@millrace/wire";
import type { BrokersDependencies } from "../../functions/src/brokers.ts";

/** What the run says beside the functions' own environment. */
function said(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

export async function openBrokers(deps: BrokersDependencies): Promise<BrokerDriver> {
  const { clock, environment, random } = deps;
  const { bucket, region, tablePrefix: prefix } = environment;
  const [s3, dynamodb] = [said("AWS_ENDPOINT_URL_S3"), said("AWS_ENDPOINT_URL_DYNAMODB")];
  const tables = await DynamoDbClusterTables.open({
    ...{ prefix, clock, random, region, endpoint: dynamodb },
  });
  const credentials = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"];
  return new ProcessDriver({
    ...{ folder: said("MILLRACE_TEST_FOLDER"), clock, random, tables },
    launch: {
      broker: JSON.parse(said("MILLRACE_TEST_BROKER")) as readonly string[],
      host: [],
      env: Object.fromEntries(credentials.map((name) => [name, said(name)])),
    },
    objects: {
      place: (cluster) => ({ uri: `s3://${bucket}/${cluster}`, endpoint: s3, region }),
      open: (cluster: ClusterId): Promise<ObjectStore> =>
        S3ObjectStore.open({
          ...{ bucket, prefix: cluster, endpoint: s3, region, addressing: "path" },
          ...{ clock, random, crc32c },
        }),
      list: async () => [],
    },
  });
}
