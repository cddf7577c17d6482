import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { clusterId } from "@millrace/core";
import { afterEach, expect, it } from "vitest";
import { BrokerListeners } from "./broker-listeners.ts";
import { namedParametersMax } from "./limits.ts";

const [first, second] = [clusterId("cl_0000000000000001"), clusterId("cl_0000000000000002")];
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Asked {
  readonly Name: string;
  readonly Names: readonly string[];
  readonly Value: string;
}

/** SSM's parameters; `stale` reads show none of them. */
async function kit(ports: number) {
  const parameters = new Map<string, string>();
  const seen = { stale: 0 };
  const answer = (operation: string, { Name, Names, Value }: Asked): object => {
    if (operation === "PutParameter") {
      if (parameters.has(Name)) return { __type: "ParameterAlreadyExists" };
      parameters.set(Name, Value);
      return { Version: 1 };
    }
    if (operation === "DeleteParameter") {
      return parameters.delete(Name) ? {} : { __type: "ParameterNotFound" };
    }
    expect(Names.length).toBeLessThanOrEqual(namedParametersMax);
    const isStale = seen.stale > 0;
    seen.stale -= 1;
    const found = Names.flatMap((name) => {
      const value = parameters.get(name);
      return value === undefined || isStale ? [] : [{ Name: name, Value: value }];
    });
    return { Parameters: found };
  };
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const operation = String(request.headers["x-amz-target"]).split(".")[1] ?? "";
      const body = answer(operation, JSON.parse(Buffer.concat(chunks).toString()) as Asked);
      response.statusCode = "__type" in body ? 400 : 200;
      response.setHeader("content-type", "application/x-amz-json-1.1");
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const listeners = await BrokerListeners.open({
    ...{ endpoint, region: "eu-west-1", parameterPrefix: "/millrace/" },
    credentials: { accessKeyId: "nobody", secretAccessKey: "nothing" },
    loadBalancer: {
      host: "balancer.test",
      listeners: Array.from({ length: ports }, (_, at) => {
        return { port: 9_201 + at, targetGroupArn: `group-${9_201 + at}` };
      }),
    },
  });
  closing.push(() => {
    listeners.close();
    server.close();
    server.closeAllConnections();
  });
  const portsOf = async (cluster: typeof first) =>
    (await listeners.of(cluster)).map(({ broker, port }) => [broker, port]);
  return { listeners, parameters, portsOf, seen };
}

it("each broker has a port of its own, of more than one request names", async () => {
  const ports = namedParametersMax + 2;
  const { listeners, portsOf } = await kit(ports);
  for (let broker = 1; broker < ports; broker += 1) await listeners.ensure(first, broker);
  await listeners.ensure(second, 1);
  expect(await portsOf(second)).toEqual([[1, 9_200 + ports]]);
  expect((await portsOf(first)).map(([, port]) => port)).toEqual(
    Array.from({ length: ports - 1 }, (_, at) => 9_201 + at),
  );
  const [one] = await listeners.of(first);
  expect(one).toMatchObject({ broker: 1, targetGroupArn: "group-9201" });
});

it("who has a port keeps it, and takes no other one", async () => {
  const { listeners, parameters, portsOf } = await kit(3);
  for (const _ of [1, 2]) await listeners.ensure(first, 2);
  expect(await portsOf(first)).toEqual([[2, 9_201]]);
  expect([...parameters]).toEqual([["/millrace/listeners/9201", `${first}/2`]]);
});

it("two that take at once have two ports, though neither sees the other", async () => {
  const { listeners, portsOf, seen } = await kit(3);
  seen.stale = 2;
  await Promise.all([listeners.ensure(first, 1), listeners.ensure(second, 1)]);
  const taken = [...(await portsOf(first)), ...(await portsOf(second))].map(([, port]) => port);
  expect(taken.toSorted()).toEqual([9_201, 9_202]);
});

it("a broker that took two, because it did not see the first, keeps the lowest", async () => {
  const { listeners, parameters, portsOf, seen } = await kit(3);
  await listeners.ensure(first, 1);
  seen.stale = 1;
  await listeners.ensure(first, 1);
  expect(await portsOf(first)).toEqual([[1, 9_201]]);
  expect(parameters.size).toBe(1);
});

it("the broker after the last port fails for good, and says why", async () => {
  const { listeners } = await kit(1);
  await listeners.ensure(first, 1);
  await expect(listeners.ensure(first, 2)).rejects.toMatchObject({
    ...{ name: "DriverError", retriable: false, applied: "no" },
    message: expect.stringContaining("has 1 listeners"),
  });
});

it("what is freed is another broker's, and nothing of a cluster that is gone is left", async () => {
  const { listeners, parameters, portsOf } = await kit(3);
  for (const broker of [1, 2]) await listeners.ensure(first, broker);
  await listeners.ensure(second, 1);
  await listeners.remove(first, 1);
  await listeners.remove(first, 1);
  await listeners.ensure(second, 2);
  expect(await portsOf(second)).toEqual([
    [2, 9_201],
    [1, 9_203],
  ]);
  expect((await listeners.list()).map(({ cluster, name }) => [cluster, name])).toEqual([
    [second, "/millrace/listeners/9201"],
    [first, "/millrace/listeners/9202"],
    [second, "/millrace/listeners/9203"],
  ]);
  await listeners.clear(second);
  expect([...parameters.values()]).toEqual([`${first}/2`]);
});
