/** A broker process that lets nobody in without a login, over TLS, and its credentials after a kill. */
import { pbkdf2Sync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { ApiKey, ErrorCode, type RequestInputByKey, type ResponseByKey } from "@millrace/wire";
import { afterEach, beforeEach, expect, it } from "vitest";
import { decodeReply, frames, request } from "../../broker-fargate/src/server/fixtures.ts";
import { scramFinal } from "../../broker-fargate/src/server/sasl/fixtures.ts";
import { testCertificate } from "../fixtures/test-certificate.ts";
import { type BrokerProcess, startBroker } from "../formats/broker-process.ts";

const password = "correct horse battery staple";
const versions = new Map<ApiKey, number>([
  [ApiKey.SaslHandshake, 1],
  [ApiKey.SaslAuthenticate, 2],
  [ApiKey.AlterUserScramCredentials, 0],
  [ApiKey.DescribeConfigs, 4],
  [ApiKey.Metadata, 12],
]);
const authority = testCertificate("authority");
let folder = "";
let broker: BrokerProcess;

/** Asks one request after another over one encrypted connection. */
class Client {
  readonly #socket: TLSSocket;
  readonly #received: Uint8Array[] = [];
  #seen = 0;
  isClosed = false;

  constructor(port: number) {
    this.#socket = connect({ host: "127.0.0.1", port, ca: authority.certificate });
    this.#socket.on("data", (chunk: Uint8Array) => this.#received.push(chunk));
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => {
      this.isClosed = true;
    });
  }

  async ask<Key extends ApiKey>(
    key: Key,
    body: RequestInputByKey[Key],
  ): Promise<ResponseByKey[Key]> {
    const version = versions.get(key) ?? 0;
    this.#socket.write(request(key, body, { version }));
    for (;;) {
      const frame = this.#frames()[this.#seen];
      if (frame !== undefined) {
        this.#seen += 1;
        return decodeReply(key, version, frame);
      }
      if (this.isClosed) throw new Error("closed");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async plain(user: string, secret: string): Promise<number> {
    await this.ask(ApiKey.SaslHandshake, { mechanism: "PLAIN" });
    const authBytes = Buffer.from(`\0${user}\0${secret}`);
    return (await this.ask(ApiKey.SaslAuthenticate, { authBytes })).errorCode;
  }

  async untilClosed(): Promise<void> {
    while (!this.isClosed) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  end(): void {
    this.#socket.destroy();
  }

  #frames(): readonly Uint8Array[] {
    try {
      return frames(this.#received);
    } catch {
      return [];
    }
  }
}

const clients: Client[] = [];

function client(): Client {
  const made = new Client(broker.port);
  clients.push(made);
  return made;
}

async function start(): Promise<BrokerProcess> {
  return startBroker(join(folder, "data"), [
    "listeners=SASL_SSL://127.0.0.1:0",
    `ssl.keystore.location=${join(folder, "broker.pem")}`,
    "millrace.admin.user=root",
    `millrace.admin.password=${password}`,
  ]);
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-logins-"));
  const own = testCertificate("localhost", { issuer: authority });
  writeFileSync(join(folder, "broker.pem"), `${own.key}${own.certificate}`, { mode: 0o600 });
  broker = await start();
});

afterEach(async () => {
  for (const each of clients.splice(0)) each.end();
  await broker.end("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const credential = { name: "alice", mechanism: 2, iterations: 4096, salt: Buffer.from("salt") };
const metadata = { topics: [] };

it("lets in who was given a credential, also after a kill, and nobody else", async () => {
  await expect(client().ask(ApiKey.Metadata, metadata)).rejects.toThrow("closed");
  const admin = client();
  expect(await admin.plain("root", password)).toBe(ErrorCode.NONE);
  const saltedPassword = pbkdf2Sync("wonder", "salt", 4096, 64, "sha512");
  const upsertions = [{ ...credential, saltedPassword }];
  const made = await admin.ask(ApiKey.AlterUserScramCredentials, { deletions: [], upsertions });
  expect(made.results).toMatchObject([{ user: "alice", errorCode: 0 }]);

  expect(await broker.end("SIGKILL")).toBeNull();
  broker = await start();
  const alice = client();
  expect(await scram(alice, "alice", "wonder")).toBe(ErrorCode.NONE);
  expect((await alice.ask(ApiKey.Metadata, metadata)).brokers).toHaveLength(1);
  expect(await scram(client(), "alice", "blunder")).toBe(ErrorCode.SASL_AUTHENTICATION_FAILED);
  // She may do what clients do, and not let herself in again.
  const forMallory = [{ ...credential, name: "mallory", saltedPassword }];
  const asked = { deletions: [], upsertions: forMallory };
  const refused = await alice.ask(ApiKey.AlterUserScramCredentials, asked);
  const errorCode = ErrorCode.CLUSTER_AUTHORIZATION_FAILED;
  expect(refused.results).toMatchObject([{ user: "mallory", errorCode }]);

  const again = client();
  await again.plain("root", password);
  const deletions = [{ name: "alice", mechanism: 2 }];
  await again.ask(ApiKey.AlterUserScramCredentials, { deletions, upsertions: [] });
  await alice.untilClosed();
  expect(await scram(client(), "alice", "wonder")).toBe(ErrorCode.SASL_AUTHENTICATION_FAILED);
});

it("shows passwords and keys to nobody", async () => {
  const admin = client();
  await admin.plain("root", password);
  const { results } = await admin.ask(ApiKey.DescribeConfigs, {
    resources: [{ resourceType: 4, resourceName: "1", configurationKeys: null }],
    includeSynonyms: true,
    includeDocumentation: false,
  });
  const configs = new Map(results[0]?.configs.map((config) => [config.name, config]));
  expect(configs.get("millrace.admin.user")?.value).toBe("root");
  expect(configs.get("millrace.admin.password")).toMatchObject({ value: null, isSensitive: true });
  expect(JSON.stringify([...configs.values()])).not.toContain(password);
});

/** The error code of the exchange's last answer. */
async function scram(by: Client, user: string, secret: string): Promise<number> {
  await by.ask(ApiKey.SaslHandshake, { mechanism: "SCRAM-SHA-512" });
  const token = (text: string) => by.ask(ApiKey.SaslAuthenticate, { authBytes: Buffer.from(text) });
  const bare = `n=${user},r=clientNonce`;
  const first = await token(`n,,${bare}`);
  if (first.errorCode !== 0) return first.errorCode;
  const said = {
    mechanism: "SCRAM-SHA-512",
    bare,
    first: first.authBytes,
    password: secret,
  } as const;
  const last = await token(scramFinal(said));
  return last.errorCode;
}
