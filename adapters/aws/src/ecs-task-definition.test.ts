import { clusterId } from "@millrace/core";
import { expect, it } from "vitest";
import { kafkaVariable, taskDefinition } from "./ecs-task-definition.ts";

const options = {
  ...{ prefix: "millrace-", image: "image", logGroup: "logs", region: "eu-central-1" },
  ...{ executionRoleArn: "start", taskRoleArn: "broker", diskGiB: 20, bucket: "objects" },
};
const place = {
  hostName: "b-1.test",
  port: 9_098,
  metadata: "dynamodb://table",
  secret: "/secret",
};
const spec = { broker: 3, cpu: 512, memoryMiB: 1_024, revision: 4 };
const cluster = clusterId("cl_0123456789abcdef");

function definition(configs: Readonly<Record<string, string>>, diskGiB = 20) {
  return taskDefinition({ ...options, diskGiB }, cluster, { ...spec, configs }, place);
}

it("a limit of the cluster never takes the place of what the driver sets", () => {
  const configs = { "node.id": "9", "max.connections": "5", listeners: "PLAINTEXT://:1" };
  const [container] = definition(configs).containerDefinitions ?? [];
  const found = container?.environment?.filter(({ name }) => name === "KAFKA_NODE_ID");
  expect(found).toEqual([{ name: "KAFKA_NODE_ID", value: "3" }]);
  const names = container?.environment?.map(({ name }) => name);
  expect(new Set(names).size).toBe(names?.length);
  expect(container?.environment).toContainEqual({
    ...{ name: "KAFKA_LISTENERS", value: "SASL_SSL://:9098" },
  });
});

it("no secret is in the environment, and none in the definition", () => {
  const [container] = definition({}).containerDefinitions ?? [];
  expect(JSON.stringify(container?.environment)).not.toContain("/secret");
  expect(container?.secrets).toEqual([
    { name: "KAFKA_SSL_KEYSTORE_KEY", valueFrom: "/secret" },
    { name: "KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN", valueFrom: "/secret" },
  ]);
});

it("the disk that a task has anyway is not asked for", () => {
  expect(definition({}).ephemeralStorage).toBeUndefined();
  expect(definition({}, 21).ephemeralStorage).toEqual({ sizeInGiB: 21 });
});

it("a key's variable is the one that the broker reads it from", () => {
  expect(kafkaVariable("log.retention.ms")).toBe("KAFKA_LOG_RETENTION_MS");
  expect(kafkaVariable("a_b-c.d")).toBe("KAFKA_A__B___C_D");
});
