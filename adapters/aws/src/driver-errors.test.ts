import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { clusterId, DriverError } from "@millrace/core";
import { expect, it } from "vitest";
import { driverError } from "./driver-errors.ts";
import { controlTriesMax } from "./limits.ts";
import { SsmSecrets } from "./ssm-secrets.ts";

/** What a read of a secret comes to where every request is answered so; and how many came. */
async function answered(
  status: number,
  type: string,
): Promise<{ readonly outcome: unknown; readonly requests: number }> {
  let requests = 0;
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      requests += 1;
      response.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
      response.end(JSON.stringify({ __type: type, message: "scripted" }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = { accessKeyId: "nobody", secretAccessKey: "nothing" };
  const secrets = await SsmSecrets.open({ endpoint, credentials, parameterPrefix: "/m/" });
  const call = secrets.read(clusterId("cl_0123456789abcdef"), "broker");
  const outcome = await call.catch((error: unknown) => error);
  secrets.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  return { outcome, requests };
}

it("what AWS fails at is tried a bounded number of times, and may have had its effect", async () => {
  const { outcome, requests } = await answered(500, "InternalServerError");
  expect(requests).toBe(controlTriesMax);
  expect(outcome).toBeInstanceOf(DriverError);
  expect(outcome).toMatchObject({ retriable: true, applied: "maybe" });
});

it("what AWS refuses is not tried again", async () => {
  const { outcome, requests } = await answered(400, "AccessDeniedException");
  expect(requests).toBe(1);
  expect(outcome).toMatchObject({ name: "DriverError", retriable: false, applied: "no" });
  expect((outcome as Error).message).toContain("AccessDeniedException");
});

it("what AWS throttles has had no effect, and is to be tried again", async () => {
  const { outcome } = await answered(400, "ThrottlingException");
  expect(outcome).toMatchObject({ name: "DriverError", retriable: true, applied: "no" });
});

it("what is expected is an answer", async () => {
  expect((await answered(400, "ParameterNotFound")).outcome).toBeUndefined();
});

it("a bug is thrown as it is", () => {
  const bug = new TypeError("a bug");
  expect(() => driverError("it failed", bug)).toThrow(bug);
});
