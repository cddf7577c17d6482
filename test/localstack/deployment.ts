import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleFunctions } from "../../functions/build.ts";
import {
  apiFields,
  authorizerFields,
  environmentOf,
  provisionerFields,
} from "../../functions/src/environment.ts";
import { ofType, type Resources } from "../../infra/src/fixtures.ts";
import { assembleImage } from "../fixtures/broker-image.ts";
import { DynamoDb, StreamPump } from "./dynamodb.ts";
import { Gateway } from "./gateway.ts";
import { LambdaFunction } from "./lambda.ts";
import { inBucket } from "./left-overs.ts";
import { sleep } from "./steps.ts";
import type { Endpoints } from "./stand-ins.ts";

const region = "us-east-1";
/** Its own at each run: an endpoint that was named may have those of others. */
const run = randomBytes(4).toString("hex");
const bucket = `millrace-objects-${run}`;
const controlTable = `Millrace-ControlTable-${run}`;
const tablePrefix = `millrace-${run}-`;
const timeoutMs = 900_000;

/** The deployment without AWS: its functions, table, stream, schedule and door, on this machine. */
export class LocalDeployment {
  readonly gateway: Gateway;
  readonly dynamodb: DynamoDb;
  /** Of brokers' processes. */
  readonly folder: string;
  readonly #endpoints: Endpoints;
  readonly #functions: Readonly<Record<"api" | "authorizer" | "provisioner", LambdaFunction>>;
  readonly #pump: StreamPump;

  private constructor(made: {
    readonly gateway: Gateway;
    readonly dynamodb: DynamoDb;
    readonly folder: string;
    readonly endpoints: Endpoints;
    readonly functions: Readonly<Record<"api" | "authorizer" | "provisioner", LambdaFunction>>;
    readonly pump: StreamPump;
  }) {
    this.gateway = made.gateway;
    this.dynamodb = made.dynamodb;
    this.folder = made.folder;
    this.#endpoints = made.endpoints;
    this.#functions = made.functions;
    this.#pump = made.pump;
  }

  /** `resources`: of the synthesised template, whose table this one's is. */
  static async start(
    endpoints: Endpoints,
    { folder, resources }: { readonly folder: string; readonly resources: Resources },
  ): Promise<LocalDeployment> {
    const made = await fetch(`${endpoints.s3}/${bucket}`, { method: "PUT" });
    if (!made.ok) throw new Error(`the bucket: ${made.status} ${await made.text()}`);
    const [table] = ofType(resources, "AWS::DynamoDB::Table");
    const dynamodb = new DynamoDb(endpoints.dynamodb);
    const arn = await dynamodb.createControlTable(controlTable, table?.Properties ?? {});
    const brokers = join(folder, "brokers");
    mkdirSync(brokers, { recursive: true });
    const functions = await startFunctions(endpoints, { folder, brokers });
    const deliver = (event: object): Promise<unknown> => functions.provisioner.invoke(event);
    const pump = new StreamPump(dynamodb, arn, deliver);
    const gateway = await Gateway.start(functions);
    return new LocalDeployment({ gateway, dynamodb, folder: brokers, endpoints, functions, pump });
  }

  /** What the schedule does. */
  async sweep(): Promise<void> {
    await this.#functions.provisioner.invoke({ source: "millrace.schedule", kind: "sweep" });
  }

  brokerPid(cluster: string, broker: number): number {
    const found = readdirSync(join(this.folder, cluster)).find((name) =>
      new RegExp(`^broker-${broker}\\.r\\d+\\.pid$`, "u").test(name),
    );
    const text = readFileSync(join(this.folder, cluster, found ?? "none"), "utf8");
    return Number(/\d+/u.exec(text)?.[0]);
  }

  /** SIGKILL, and everything that the broker had on its disk is gone. Resolves when it is dead. */
  async killAndTakeDisk(cluster: string, broker: number): Promise<void> {
    const pid = this.brokerPid(cluster, broker);
    process.kill(pid, "SIGKILL");
    while (isAlive(pid)) await sleep(lookMs);
    rmSync(join(this.folder, cluster, `broker-${broker}`), { recursive: true, force: true });
  }

  /** What is left of clusters, by where it is: tables, objects, uploads, files of processes. */
  async leftOvers(): Promise<readonly string[]> {
    const tables = await this.dynamodb.tableNames();
    const stored = await inBucket(this.#endpoints.s3, bucket);
    const files = readdirSync(this.folder, { recursive: true, withFileTypes: true });
    return [
      ...tables.filter((name) => name.startsWith(tablePrefix)).map((name) => `table ${name}`),
      ...stored,
      ...files
        .filter((entry) => entry.isFile())
        .map(({ name, parentPath }) => `file ${join(parentPath, name)}`),
    ];
  }

  /** Throws what failed beside the requests. */
  async stop(): Promise<void> {
    await this.#pump.stop();
    await this.gateway.stop();
    for (const each of Object.values(this.#functions)) await each.stop();
    this.#endBrokers();
    await this.dynamodb.ask("DeleteTable", { TableName: controlTable });
    await fetch(`${this.#endpoints.s3}/${bucket}`, { method: "DELETE" });
    if (this.#pump.failure !== undefined) throw this.#pump.failure;
  }

  /** Those of a run that ended before it deleted its cluster: nobody else would end them. */
  #endBrokers(): void {
    for (const entry of readdirSync(this.folder, { recursive: true, withFileTypes: true })) {
      if (!/^broker-\d+\.r\d+\.pid$/u.test(entry.name)) continue;
      const pid = Number(
        /\d+/u.exec(readFileSync(join(entry.parentPath, entry.name), "utf8"))?.[0],
      );
      if (pid > 0 && isAlive(pid)) process.kill(pid, "SIGKILL");
    }
  }
}

const lookMs = 20;

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

async function startFunctions(
  endpoints: Endpoints,
  { brokers, folder }: { readonly brokers: string; readonly folder: string },
): Promise<Readonly<Record<"api" | "authorizer" | "provisioner", LambdaFunction>>> {
  const bundles = await bundleFunctions(join(folder, "functions"));
  const broker = assembleImage(join(folder, "image"));
  const common = {
    ...{ AWS_ACCESS_KEY_ID: "nobody", AWS_SECRET_ACCESS_KEY: "nothing", AWS_REGION: region },
    ...{ AWS_ENDPOINT_URL_S3: endpoints.s3, AWS_ENDPOINT_URL_DYNAMODB: endpoints.dynamodb },
    MILLRACE_TEST_FOLDER: brokers,
    MILLRACE_TEST_BROKER: JSON.stringify(broker),
  };
  const start = (
    name: "api" | "authorizer" | "provisioner",
    environment: Readonly<Record<string, string>>,
  ): LambdaFunction => {
    const bundle = bundles.find((each) => each.name === name);
    const options = { timeoutMs, logFile: join(folder, `${name}.log`) };
    const path = join(bundle?.folder ?? "", "index.mjs");
    return new LambdaFunction({
      ...{ ...options, bundle: path, environment: { ...common, ...environment } },
    });
  };
  const api = { controlTable, tablePrefix, logLevel: "info" };
  const none = { jwtIssuer: "", jwtAudience: "", jwtKeysUrl: "", jwtRoleClaim: "" };
  // Of ECS, which is not there: nobody reads them.
  const ofEcs = {
    ...{ parameterPrefix: "", namespaceId: "", namespaceName: "", ecsCluster: "", subnets: "" },
    ...{ securityGroups: "", assignPublicIp: "", brokerImage: "", brokerTaskRole: "" },
    ...{ brokerExecutionRole: "", brokerLogGroup: "", brokerDiskGiB: "", loadBalancer: "" },
  };
  const brokersIn = pathToFileURL(join(import.meta.dirname, "process-brokers.ts")).href;
  return {
    api: start("api", environmentOf(apiFields, api)),
    authorizer: start("authorizer", environmentOf(authorizerFields, { ...api, ...none })),
    provisioner: start(
      "provisioner",
      environmentOf(provisionerFields, {
        ...{ ...api, ...ofEcs, brokersIn, bucket, bucketAddressing: "path" },
      }),
    ),
  };
}
