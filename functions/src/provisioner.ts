/**
 * Lambda entry point: makes, changes and removes clusters, one operation an invocation, started by
 * the control table's stream; and looks after all of them every few minutes, by a schedule. It asks
 * AWS alone, and is not in the brokers' network.
 */
import { DynamoDbMetadataStore } from "@millrace/adapter-aws";
import { AwsClusterStores } from "@millrace/adapter-aws/cluster-stores";
import { SystemClock, SystemRandom } from "@millrace/adapter-node";
import { ClusterRecords, OperationRunner, Sweeper } from "@millrace/control-api";
import type { Clock } from "@millrace/core";
import { crc32c } from "@millrace/wire";
import type { Context, DynamoDBBatchResponse } from "aws-lambda";
import { openBrokers } from "./brokers.ts";
import { provisionerFields, readEnvironment } from "./environment.ts";
import { makeLog } from "./log.ts";
import { missingBrokers } from "./missing-brokers.ts";
import { onEvent, type Provisioning, type ProvisionerEvent } from "./provisioner-events.ts";

const environment = readEnvironment([...provisionerFields, "region"], process.env);
const log = makeLog(environment.logLevel, (line) => process.stdout.write(line));
const clock: Clock = new SystemClock();
const provisioning = openProvisioning();

async function openProvisioning(): Promise<Provisioning> {
  const random = new SystemRandom();
  const { bucket, controlTable: table, region, tablePrefix: prefix } = environment;
  const addressing = environment.bucketAddressing === "path" ? "path" : "host";
  const store = await DynamoDbMetadataStore.open({ table, clock, random });
  const stores = new AwsClusterStores({
    ...{ prefix, bucket, region, addressing, crc32c, clock, random },
  });
  const driver = await openBrokers({ environment, clock, random });
  // One of each process: who has a lease is told by it.
  const holder = Buffer.from(random.bytes(12)).toString("base64url");
  const deps = { store, stores, driver, clock, random, holder };
  const runner = new OperationRunner(deps);
  const sweeper = new Sweeper(deps);
  const clusters = new ClusterRecords(deps);
  return {
    run: async (id, untilMs) => {
      const outcome = await runner.run(id, { untilMs });
      log("info", outcome === "failed" ? "operationFailed" : "operationRan", { id, outcome });
    },
    sweep: async (untilMs) => {
      // First, because a sweep may take all the time there is; and neither keeps the other from it.
      const [missing] = await Promise.allSettled([missingBrokers(clusters, driver)]);
      if (missing.status === "fulfilled") {
        log("info", "brokersCounted", { brokersMissing: missing.value });
      }
      log("info", "swept", { ...(await sweeper.sweep({ untilMs })) });
      if (missing.status === "rejected") throw missing.reason;
    },
  };
}

export async function handler(
  event: ProvisionerEvent,
  context: Pick<Context, "awsRequestId" | "getRemainingTimeInMillis">,
): Promise<DynamoDBBatchResponse | undefined> {
  try {
    const answer = await onEvent(event, {
      provisioning: await provisioning,
      nowMs: clock.wallMs(),
      remainingMs: context.getRemainingTimeInMillis(),
    });
    const failed = answer?.batchItemFailures.length ?? 0;
    if (failed > 0) log("error", "recordsFailed", { requestId: context.awsRequestId, failed });
    return answer;
  } catch (error) {
    log("error", "provisioningFailed", { requestId: context.awsRequestId, error });
    throw error;
  }
}
