/**
 * The snippets that the control plane hands out are run as they are, each by its client, with a
 * credential that the control plane has made: over TLS with the cluster's own authority.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Connection, controlPlane } from "../../../sdk/src/index.ts";
import { kafkaDistribution } from "../../compat/peer.ts";
import { runToEnd } from "../../compat/processes.ts";
import { PROGRAMS } from "../../compat/programs.ts";
import { testCertificate } from "../../fixtures/test-certificate.ts";
import { type BrokerProcess, startBrokerWithHttp } from "../../formats/broker-process.ts";

const root = join(import.meta.dirname, "../../..");
const cache = join(root, ".cache/compat");
const runMsMax = 120_000;
const topic = "snippet-lines";

let folder: string;
let broker: BrokerProcess & { readonly url: string };
let connection: Connection;
let login: Readonly<Record<string, string>>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-snippets-"));
  const authority = testCertificate("authority");
  const own = testCertificate("localhost", { issuer: authority });
  const chain = `${own.key}${own.certificate}${authority.certificate}`;
  writeFileSync(join(folder, "broker.pem"), chain, { mode: 0o600 });
  broker = await startBrokerWithHttp(join(folder, "data"), [
    "listeners=SASL_SSL://127.0.0.1:0",
    `ssl.keystore.location=${join(folder, "broker.pem")}`,
    ...["millrace.admin.user=root", "millrace.admin.password=first password"],
  ]);
  const authorization = `Basic ${Buffer.from("root:first password").toString("base64")}`;
  const control = controlPlane({
    url: broker.url,
    fetch: (request) => {
      const headers = new Headers(request.headers);
      headers.set("authorization", authorization);
      return fetch(new Request(request, { headers }));
    },
  });
  const [own_] = await collected(control.clusters.list());
  const cluster = control.cluster(own_?.id ?? "");
  await cluster.topics.create({ name: topic, partitions: 1 });
  const { secret, username } = await cluster.credentials.create({ name: "snippets" });
  login = { MILLRACE_USERNAME: username, MILLRACE_PASSWORD: secret };
  connection = await cluster.connection();
});

afterAll(async () => {
  await broker.end("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** Its text, and a folder to run it in. */
function snippet(client: string): { readonly text: string; readonly cwd: string } {
  const found = connection.snippets.find((candidate) => candidate.client === client);
  if (found === undefined) throw new Error(`there is no snippet for ${client}`);
  const cwd = join(folder, client.replaceAll("/", "-"));
  mkdirSync(cwd);
  return { text: found.text, cwd };
}

/** With the credential it ends well, and what it prints has the topic. */
async function saysTopic(command: {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly path?: string;
}): Promise<void> {
  const { path, ...run } = command;
  const usual = process.env["PATH"] ?? "";
  const env = { ...login, PATH: path === undefined ? usual : `${path}${delimiter}${usual}` };
  const right = await runToEnd({ ...run, env }, runMsMax);
  expect(right.exitCode, `${right.stdout}\n${right.stderr}`).toBe(0);
  expect(right.stdout).toContain(topic);
}

async function installed(name: string): Promise<{ readonly file: string; readonly cwd: string }> {
  const program = PROGRAMS.find((candidate) => candidate.name === name);
  if (program === undefined) throw new Error(`the compatibility lane has no ${name}`);
  return program.install(cache);
}

/** Kafka's script of that name does no more; the lane keeps the libraries only. */
async function kafkaTools(): Promise<string> {
  const libs = join(await kafkaDistribution(cache), "libs/*");
  const tools = join(folder, "bin");
  mkdirSync(tools, { recursive: true });
  const java = `exec java -Xmx256m -XX:TieredStopAtLevel=1 -cp '${libs}'`;
  const script = `#!/bin/sh\n${java} org.apache.kafka.tools.TopicCommand "$@"\n`;
  writeFileSync(join(tools, "kafka-topics.sh"), script, { mode: 0o755 });
  return tools;
}

test("there is one for each client that is run here, and no other", () => {
  expect(connection.caCertificate).toContain("BEGIN CERTIFICATE");
  expect(connection.snippets.map(({ client }) => client).sort()).toEqual(
    ["@millrace/sdk", "cli", "franz-go", "java", "kafkajs", "kcat", "librdkafka"].sort(),
  );
});

test("java: properties, read by Kafka's own client", async () => {
  const { cwd, text } = snippet("java");
  writeFileSync(join(cwd, "client.properties"), text);
  const args = ["--bootstrap-server", connection.bootstrapServers.join(","), "--list"];
  const file = join(await kafkaTools(), "kafka-topics.sh");
  await saysTopic({ file, args: [...args, "--command-config", "client.properties"], cwd });
});

test("cli: Kafka's tools", async () => {
  const { cwd, text } = snippet("cli");
  writeFileSync(join(cwd, "snippet.sh"), text);
  const path = await kafkaTools();
  await saysTopic({ file: "bash", args: ["-e", "snippet.sh"], cwd, path });
});

test("kcat", async () => {
  await installed("kcat");
  const { cwd, text } = snippet("kcat");
  writeFileSync(join(cwd, "snippet.sh"), text);
  await saysTopic({ file: "bash", args: ["-e", "snippet.sh"], cwd });
});

test("librdkafka: Python", async () => {
  const { file } = await installed("python");
  const { cwd, text } = snippet("librdkafka");
  const ask = "print(sorted(producer.list_topics(timeout=20).topics))\n";
  writeFileSync(join(cwd, "snippet.py"), `${text}${ask}`);
  await saysTopic({ file, args: ["-B", "snippet.py"], cwd });
});

test("kafkajs", async () => {
  const program = await installed("kafkajs");
  const { cwd, text } = snippet("kafkajs");
  symlinkSync(join(program.cwd, "node_modules"), join(cwd, "node_modules"));
  const ask = `
const admin = kafka.admin();
admin.connect().then(() => admin.listTopics()).then(console.log).finally(() => admin.disconnect());
`;
  writeFileSync(join(cwd, "snippet.cjs"), `${text}${ask}`);
  await saysTopic({ file: process.execPath, args: ["snippet.cjs"], cwd });
});

test("@millrace/sdk", async () => {
  const { cwd, text } = snippet("@millrace/sdk");
  const sources = text.replace('"@millrace/sdk"', JSON.stringify(join(root, "sdk/src/index.ts")));
  const ask = "console.log(await client.admin.listTopics());\nawait client.close();\n";
  writeFileSync(join(cwd, "snippet.mts"), `${sources}${ask}`);
  await saysTopic({ file: process.execPath, args: ["snippet.mts"], cwd });
});

test("franz-go", async () => {
  const { cwd, text } = snippet("franz-go");
  for (const file of ["go.mod", "go.sum"]) {
    cpSync(join(root, "test/compat/go", file), join(cwd, file));
  }
  writeFileSync(join(cwd, "snippet.go"), text);
  writeFileSync(join(cwd, "main.go"), goMain);
  await saysTopic({ file: "go", args: ["run", "-mod=mod", "."], cwd });
});

const goMain = `package main

import (
	"context"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kadm"
)

func main() {
	client, err := connect()
	if err != nil {
		panic(err)
	}
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stdout, topics.Names())
}
`;
import { collected } from "../../../sdk/test/collected.ts";
