/** What ECS gives a broker's task is what the broker takes: every variable of it, and nothing else. */
import { createSecureContext } from "node:tls";
import { clusterId, parseSettings } from "@millrace/core";
import { expect, it } from "vitest";
import { taskDefinition } from "../../adapters/aws/src/ecs-task-definition.ts";
import {
  makeAuthority,
  makeBrokerCertificate,
} from "../../control-api/src/certificates/certificates.ts";
import { limitConfigs } from "../../control-api/src/clusters/cluster-rules.ts";
import { EagerClock } from "../../control-api/src/operations/fixtures.ts";
import { listenerAddresses } from "../../broker-fargate/src/listener-address.ts";
import { readOptions } from "../../broker-fargate/src/options.ts";
import { readTls } from "../../broker-fargate/src/server/tls.ts";

const host = "b-2.cl-0123456789abcdef.millrace.internal";

function definition(configs: Readonly<Record<string, string>>) {
  const options = {
    ...{ prefix: "millrace-", image: "image", logGroup: "logs", region: "eu-central-1" },
    ...{ executionRoleArn: "start", taskRoleArn: "broker", diskGiB: 20, bucket: "objects" },
  };
  const spec = { broker: 2, cpu: 256, memoryMiB: 512, revision: 1, configs };
  return taskDefinition(options, clusterId("cl_0123456789abcdef"), spec, {
    ...{
      hostName: host,
      port: 9_098,
      metadata: "dynamodb://millrace-cl_0123456789abcdef",
      secret: "/secret",
    },
  });
}

/** As ECS makes it: secrets are variables too. */
async function environmentOf(
  configs: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  const clock = new EagerClock();
  const names = { dnsNames: [host], ipAddresses: [] };
  const authority = await makeAuthority(clock, { commonName: "authority" });
  const pem = await makeBrokerCertificate(clock, { commonName: "brokers", names, authority });
  const [container] = definition(configs).containerDefinitions ?? [];
  const variables = [
    ...(container?.environment ?? []),
    ...(container?.secrets ?? []).map(({ name }) => ({ name, value: pem })),
  ];
  return Object.fromEntries(variables.map(({ name = "", value = "" }) => [name, value]));
}

it("the broker takes every variable, and serves where its name leads", async () => {
  const limits = Object.fromEntries(limitConfigs.map((name) => [name, "100000"]));
  const environment = await environmentOf(limits);
  const readFile = (): never => {
    throw new Error("no file is read");
  };
  const options = readOptions({ args: ["--data", "/data"], environment, readFile });
  if (options === "help") throw new Error("no help was asked for");
  const { ignored, invalid, settings, unknown } = parseSettings(options.entries);
  expect({ ignored, invalid, unknown }).toEqual({ ignored: [], invalid: [], unknown: [] });
  expect(settings).toMatchObject({
    ...{ nodeId: 2, durability: "journal", httpPort: 8_080, maxConnections: 100_000 },
    metadataStore: { kind: "dynamodb", table: "millrace-cl_0123456789abcdef" },
    objectStore: { kind: "s3", bucket: "objects", prefix: "cl_0123456789abcdef" },
  });
  const addresses = listenerAddresses(settings);
  if (addresses.kind !== "ok") throw new Error(addresses.message);
  expect(addresses.bind).toEqual([{ name: "SASL_SSL", host: undefined, port: 9_098 }]);
  expect(addresses.advertised.get("SASL_SSL")).toMatchObject({ host, port: 9_098 });
  expect([...readTls(settings.security, { readFile, createSecureContext }).keys()]).toEqual([
    "SASL_SSL",
  ]);
});
