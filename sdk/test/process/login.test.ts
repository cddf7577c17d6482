/** The SDK at a listener that lets nobody in without a login. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, type SaslOptions, string } from "../../src/index.ts";
import { freePort, type MortalBroker, startMortal } from "./mortal-broker.ts";

let broker: MortalBroker;
let directory: string;
let address: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-login-"));
  const port = await freePort();
  address = `127.0.0.1:${port}`;
  broker = await startMortal(directory, port, [
    `listeners=SASL_PLAINTEXT://${address}`,
    ...["millrace.admin.user=admin", "millrace.admin.password=first-password"],
  ]);
});

afterAll(async () => {
  await broker.end("SIGTERM");
  await rm(directory, { recursive: true, force: true });
});

const login = (mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512", password: string) =>
  ({ mechanism, username: "admin", password }) satisfies SaslOptions;

test.for(["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] as const)(
  "with %s it sends and reads",
  async (mechanism) => {
    await using client = connect({ brokers: [address], sasl: login(mechanism, "first-password") });
    const lines = client.topic(`by-${mechanism}`, { value: string() });
    await client.admin.createTopic(lines.name);
    await lines.send({ value: "hello" });
    for await (const { value } of lines.consume({ group: mechanism, from: "earliest" })) {
      expect(value).toBe("hello");
      break;
    }
  },
);

test("a wrong password is said at once, by everything that asks", async () => {
  await using client = connect({ brokers: [address], sasl: login("SCRAM-SHA-512", "wrong") });
  const lines = client.topic("lines", { value: string() });
  const refused = {
    ...{ name: "AuthenticationError", code: "SASL_AUTHENTICATION_FAILED", retriable: false },
  };
  await expect(client.admin.listTopics()).rejects.toMatchObject(refused);
  await expect(lines.send({ value: "hello" })).rejects.toMatchObject(refused);
  await expect(lines.consume().run(() => undefined)).rejects.toMatchObject(refused);
  await expect(lines.consume({ group: "a" }).run(() => undefined)).rejects.toMatchObject(refused);
});

test("a credential may come from a function", async () => {
  const password = (): Promise<string> => Promise.resolve("first-password");
  const sasl: SaslOptions = { mechanism: "PLAIN", username: () => "admin", password };
  await using client = connect({ brokers: [address], sasl });
  expect(await client.admin.listTopics()).toContain("by-PLAIN");
});
