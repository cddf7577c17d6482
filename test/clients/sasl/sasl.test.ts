/** Real clients over SASL_SSL: who has a credential is served, and nobody else. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kafkaDistribution } from "../../compat/peer.ts";
import { runToEnd } from "../../compat/processes.ts";
import { PROGRAMS } from "../../compat/programs.ts";
import { testCertificate } from "../../fixtures/test-certificate.ts";
import { type BrokerProcess, startBroker } from "../../formats/broker-process.ts";

const root = join(import.meta.dirname, "../../..");
const cache = join(root, ".cache/compat");
const programMsMax = 200_000;
const admin = ["root", "first password"] as const;
let folder = "";
let broker: BrokerProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-sasl-"));
  const authority = testCertificate("authority");
  const own = testCertificate("localhost", { issuer: authority });
  writeFileSync(join(folder, "authority.pem"), authority.certificate);
  writeFileSync(join(folder, "broker.pem"), `${own.key}${own.certificate}`, { mode: 0o600 });
  broker = await startBroker(join(folder, "data"), [
    "listeners=SASL_SSL://127.0.0.1:0",
    `ssl.keystore.location=${join(folder, "broker.pem")}`,
    `millrace.admin.user=${admin[0]}`,
    `millrace.admin.password=${admin[1]}`,
  ]);
});

afterAll(async () => {
  await broker.end("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** What the program says of each step. */
async function told(file: string, args: readonly string[]): Promise<Record<string, unknown>> {
  const where = [`127.0.0.1:${broker.port}`, join(folder, "authority.pem"), ...admin];
  const run = await runToEnd({ file, args: [...args, ...where], cwd: folder }, programMsMax);
  expect(run.exitCode, run.stderr).toBe(0);
  const lines = run.stdout.split("\n").filter((line) => line.startsWith("{"));
  return Object.fromEntries(
    lines.map((line) => {
      const { result, step } = JSON.parse(line) as { step: string; result: unknown };
      return [step, result];
    }),
  );
}

test("librdkafka logs in by SCRAM and PLAIN, and not without the credential", async () => {
  const python = PROGRAMS.find(({ name }) => name === "python");
  if (python === undefined) throw new Error("the compatibility lane has no Python program");
  const { file } = await python.install(cache);
  const steps = await told(file, ["-B", join(import.meta.dirname, "sasl_client.py")]);
  const refused = "_AUTHENTICATION";
  expect(steps).toEqual({
    create: "altered",
    "produce/SCRAM-SHA-512": "sent",
    "wrong/SCRAM-SHA-512": refused,
    "produce/PLAIN": "sent",
    "wrong/PLAIN": refused,
    "other-mechanism": refused,
    consume: ["SCRAM-SHA-512", "PLAIN"],
    describe: [["ScramMechanism.SCRAM_SHA_512", 8192]],
    delete: "altered",
    "delete-again": "RESOURCE_NOT_FOUND",
    ended: true,
    "deleted/SCRAM-SHA-512": refused,
    "deleted/PLAIN": refused,
  });
});

test("Java's client logs in by SCRAM and PLAIN, and not without the credential", async () => {
  const libs = join(await kafkaDistribution(cache), "libs/*");
  const program = join(import.meta.dirname, "SaslClient.java");
  const steps = await told("java", ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", libs, program]);
  const refused = "SaslAuthenticationException";
  expect(steps).toEqual({
    create: "altered",
    "produce/SCRAM-SHA-512": "sent",
    "wrong/SCRAM-SHA-512": refused,
    "produce/PLAIN": "sent",
    "wrong/PLAIN": refused,
    "other-mechanism": refused,
    consume: ["SCRAM-SHA-512", "PLAIN"],
    delete: "altered",
    "delete-again": "ResourceNotFoundException",
    ended: true,
    "deleted/SCRAM-SHA-512": refused,
    "deleted/PLAIN": refused,
  });
});
