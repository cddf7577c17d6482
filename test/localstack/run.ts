/**
 * `npm run test:localstack`: the whole way without an AWS account. The functions run from the bundles
 * that are deployed, over endpoints that stand in for AWS; brokers are processes, run from the files
 * of their image, over S3 and DynamoDB; the SDK and Java's client log in with a credential that the
 * API made. `--kills N`: how often a broker is killed and its disk taken (default 10); `--keep` keeps
 * the folder with the logs. `--serve`: nothing is tried; the API stays up, with a key, until Ctrl-C.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { synthesised } from "../../infra/src/fixtures.ts";
import { controlPlane, type ControlPlane } from "../../sdk/src/index.ts";
import { killEverythingStarted } from "../compat/processes.ts";
import { type Login, sendAll } from "./clients.ts";
import { isAlive, LocalDeployment } from "./deployment.ts";
import { killOften } from "./kills.ts";
import { logIn, readsWhatWasSent, takeCredential } from "./logins.ts";
import { equal, leaveOut, step, stepsDone } from "./steps.ts";
import { type Endpoints, findEndpoints } from "./stand-ins.ts";
import { deployTemplate } from "./template.ts";

const topic = "orders";

const { values: flags } = parseArgs({
  options: {
    kills: { type: "string", default: "10" },
    keep: { type: "boolean", default: false },
    serve: { type: "boolean", default: false },
  },
});

interface Made {
  readonly cluster: string;
  readonly credential: string;
  readonly login: Login;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-localstack-"));
  const template = await step("the template is synthesised, and checked", async () =>
    synthesised({ brokers: { image: "123456789012.dkr.ecr.us-east-1.amazonaws.com/millrace:0" } }),
  );
  const endpoints = await step("S3 and DynamoDB answer", () => findEndpoints(process.env));
  process.stdout.write(`     ${endpoints.described}\n`);
  const resources = template.resources;
  const deployment = await step("the functions start from their bundles", () =>
    LocalDeployment.start(endpoints, { folder, resources }),
  );
  try {
    const { control, key } = await firstKey(deployment);
    if (flags.serve) {
      process.stdout.write(`the API is at ${deployment.gateway.url}, with the key ${key}\n`);
      await new Promise((resolve) => process.once("SIGINT", resolve).once("SIGTERM", resolve));
      return;
    }
    const made = await makeAll(control);
    const { cluster, credential, login } = made;
    await logIn({ folder, login, topic });
    await killOften(deployment, made, Number(flags.kills));
    await step("what was sent before is there, once each", () => readsWhatWasSent(login, topic));
    await takeCredential({ folder, login, topic }, () =>
      control.cluster(cluster).credentials.delete(credential),
    );
    await removeAll(control, deployment, made);
    await tryTemplate(endpoints, template);
  } finally {
    await deployment.stop();
    await endpoints.stop();
    killEverythingStarted();
    if (flags.keep) process.stdout.write(`logs and folders are in ${folder}\n`);
    else rmSync(folder, { recursive: true, force: true });
  }
  process.stdout.write(`${stepsDone()} passed, 0 failed\n`);
}

async function tryTemplate(
  { cloudFormation }: Endpoints,
  template: ReturnType<typeof synthesised>,
): Promise<void> {
  if (cloudFormation === undefined) {
    leaveOut("the template's deployment, as AWS_ENDPOINT_URL_CLOUDFORMATION names nobody");
    return;
  }
  await step("the template is deployed as far as the stand-in knows it", () =>
    deployTemplate(cloudFormation, template),
  );
}

/** Who may sign for AWS makes the first key; from then on the door is the other one. */
async function firstKey({
  gateway,
}: LocalDeployment): Promise<{ readonly control: ControlPlane; readonly key: string }> {
  return step("IAM makes the first API key, and nobody without one gets in", async () => {
    const response = await fetch(`${gateway.url}/iam/v1/api-keys`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": '"first-key-of-all-keys"' },
      body: JSON.stringify({ name: "test", role: "admin" }),
    });
    equal(response.status, 201);
    const { key } = (await response.json()) as { readonly key: string };
    equal((await fetch(`${gateway.url}/v1/clusters`)).status, 401);
    const headers = { authorization: `Bearer ${key.slice(0, -2)}xx` };
    equal((await fetch(`${gateway.url}/v1/clusters`, { headers })).status, 403);
    const control = controlPlane({ url: gateway.url, apiKey: key });
    equal((await control.whoAmI()).role, "admin");
    return { control, key };
  });
}

async function makeAll(control: ControlPlane): Promise<Made> {
  const startedAt = performance.now();
  const cluster = await step("a cluster is made", async () => {
    const { id } = await control.clusters.create({ name: "test", deletionProtection: true });
    equal((await control.clusters.settled(id)).state, "active");
    return id;
  });
  const { credential, login } = await step("a topic and a credential are made", async () => {
    const inside = control.cluster(cluster);
    await inside.topics.create({ name: topic, partitions: 3 });
    const { id, secret: password, username } = await inside.credentials.create({ name: "app" });
    const { bootstrapServers: brokers, caCertificate: ca = "" } = await inside.connection();
    return { credential: id, login: { brokers, ca, username, password } };
  });
  await step("the first record is acknowledged", () => sendAll(login, topic, ["first"]));
  const ms = (performance.now() - startedAt).toFixed(0);
  process.stdout.write(`     ${ms} ms from the request to the first acknowledged record\n`);
  return { cluster, credential, login };
}

async function removeAll(
  control: ControlPlane,
  deployment: LocalDeployment,
  { cluster }: Made,
): Promise<void> {
  await step("a protected cluster is not deleted", async () => {
    const refused = await control.clusters.delete(cluster).then(
      () => "deleted",
      (error: unknown) => (error as { readonly code?: string }).code ?? String(error),
    );
    equal(refused, "DELETION_PROTECTED");
    equal((await control.clusters.describe(cluster)).state, "active");
  });
  await step("a cluster is deleted, and nothing of it is left", async () => {
    const pid = deployment.brokerPid(cluster, 1);
    await control.clusters.change(cluster, { deletionProtection: false });
    const { operation = "" } = await control.clusters.delete(cluster);
    equal((await control.operations.wait(operation)).state, "succeeded");
    equal((await deployment.leftOvers()).join("\n"), "");
    equal(isAlive(pid), false);
  });
}

await main();
