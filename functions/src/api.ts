/**
 * Lambda entry point: the control plane's API behind the HTTP API, at /v1 for keys and tokens and at
 * /iam/v1 for who signs requests. It asks the control table, clusters' tables and brokers, and nobody
 * else: there is no way out of its network.
 */
import { DynamoDbMetadataStore } from "@millrace/adapter-aws";
import { nodeHashing, SystemClock, SystemRandom } from "@millrace/adapter-node";
import { ClusterRecords, controlApp, OperationRecords } from "@millrace/control-api";
import type { APIGatewayProxyEventV2, APIGatewayProxyResultV2, Context } from "aws-lambda";
import { handle, type LambdaEvent } from "hono/aws-lambda";
import { ClusterReach } from "./cluster-reach.ts";
import { apiFields, readEnvironment } from "./environment.ts";
import { pathBehindDoor } from "./gateway-path.ts";
import { gatewayPrincipal } from "./gateway-principal.ts";
import { makeLog } from "./log.ts";
import { OpenTables } from "./stores.ts";

const environment = readEnvironment(apiFields, process.env);
const log = makeLog(environment.logLevel, (line) => process.stdout.write(line));
const serving = openApi();

async function openApi(): Promise<ReturnType<typeof handle>> {
  const deps = { clock: new SystemClock(), random: new SystemRandom(), hashing: nodeHashing };
  const { controlTable: table, tablePrefix: prefix } = environment;
  const store = await DynamoDbMetadataStore.open({ ...deps, table });
  const tables = new OpenTables((id) =>
    DynamoDbMetadataStore.open({ ...deps, table: `${prefix}${id}` }),
  );
  const app = controlApp({
    ...deps,
    store,
    clusters: new ClusterRecords({ ...deps, store }),
    operations: new OperationRecords({ ...deps, store }),
    access: new ClusterReach({ ...deps, metadata: ({ id }) => tables.of(id) }),
    provisioning: "full",
    principalOf: gatewayPrincipal,
    failed: (error, requestId) => log("error", "requestFailed", { requestId, error }),
    answered: (answer) => log("info", "answered", { ...answer }),
  });
  return handle(app);
}

export async function handler(
  event: APIGatewayProxyEventV2,
  context: Context,
): Promise<APIGatewayProxyResultV2> {
  const answer = await (await serving)(withoutDoor(event) as unknown as LambdaEvent, context);
  return answer as APIGatewayProxyResultV2;
}

function withoutDoor(event: APIGatewayProxyEventV2): APIGatewayProxyEventV2 {
  const rawPath = pathBehindDoor(event.rawPath);
  const http = { ...event.requestContext.http, path: rawPath };
  return { ...event, rawPath, requestContext: { ...event.requestContext, http } };
}
