import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { clusterId } from "@millrace/core";
import { afterEach, expect, it } from "vitest";
import { EcsServices } from "./ecs-services.ts";

const cluster = clusterId("cl_0000000000000001");
const spec = { broker: 1, cpu: 256, memoryMiB: 512, configs: {}, revision: 2 };
const at = {
  place: { hostName: "b-1", port: 9_098, metadata: "dynamodb://t", secret: "s" },
  registryArn: "arn",
};
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** ECS, as far as it shows services; what else is asked of it is refused, and remembered. */
async function showing(services: readonly object[]) {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    const operation = String(request.headers["x-amz-target"]).split(".")[1] ?? "";
    asked.push(operation);
    request.resume();
    const isShown = operation === "DescribeServices";
    response.statusCode = isShown ? 200 : 400;
    response.setHeader("content-type", "application/x-amz-json-1.1");
    response.end(JSON.stringify(isShown ? { services } : { __type: "ClientException" }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ecs = await EcsServices.open({
    ...{ endpoint, region: "eu-west-1", ecsCluster: "brokers", prefix: "millrace-" },
    credentials: { accessKeyId: "nobody", secretAccessKey: "nothing" },
    ...{ subnets: [], securityGroups: [], assignPublicIp: false, image: "i", logGroup: "l" },
    ...{ executionRoleArn: "e", taskRoleArn: "t", diskGiB: 20, bucket: "b" },
  });
  closing.push(() => {
    ecs.close();
    server.close();
    server.closeAllConnections();
  });
  return { ecs, asked };
}

it("waits for a broker that is being removed, which takes minutes, without a failure", async () => {
  const name = `millrace-${cluster}-1`;
  const draining = { serviceName: name, status: "DRAINING", taskDefinition: `x/${name}-r1:1` };
  const { asked, ecs } = await showing([draining]);
  await ecs.ensure(cluster, spec, at);
  expect(asked).toEqual(["DescribeServices"]);
});
