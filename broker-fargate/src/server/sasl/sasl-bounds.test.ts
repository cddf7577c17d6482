import { scramMessageBytesMax, userNameCharactersMax } from "@millrace/core";
import { ApiKey } from "@millrace/wire";
import { expect, it } from "vitest";
import { requestsPerTurnMax } from "../../limits.ts";
import { metadataRequest, request, settled } from "../fixtures.ts";
import { listenerName, makeUser, saslBench } from "./fixtures.ts";

const jaas = `listener.name.${listenerName.toLowerCase()}.plain.sasl.jaas.config`;
const configs = {
  [jaas]: 'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="secret";',
  "sasl.server.max.receive.size": "1000",
};

it("a client that begins to authenticate again may send small tokens only", async () => {
  const { enter, metric } = saslBench({ configs });
  const client = enter();
  await client.plain("alice", "secret");
  await client.handshake("PLAIN");
  expect(await client.authenticate(`\0alice\0${"x".repeat(1_000)}`)).toBeUndefined();
  expect(metric('millrace_connections_closed_total{reason="frameTooLarge"}')).toBe(1);
});

it("a large token that came together with its handshake is not looked at", async () => {
  const { clock, enter, log, metric } = saslBench({ configs });
  const client = enter();
  await client.plain("alice", "secret");
  // So many that the token is read before the handshake begins.
  const others = Array.from({ length: requestsPerTurnMax }, (_, id) => metadataRequest(id));
  const handshake = request(ApiKey.SaslHandshake, { mechanism: "PLAIN" }, { version: 1 });
  const authBytes = Buffer.from(`\0alice\0${"x".repeat(1_000)}`);
  const token = request(ApiKey.SaslAuthenticate, { authBytes }, { version: 2 });
  await client.ask(Buffer.concat([...others, handshake, token]));
  for (let turn = 0; turn < 5; turn += 1) {
    await settled();
    clock.advance(1_000);
  }
  await settled();
  expect(client.isClosed).toBe(true);
  expect(metric('millrace_authentications_total{mechanism="PLAIN",outcome="failed"}')).toBe(0);
  expect(JSON.stringify(log.lines)).toContain("a token of 1007 bytes");
});

it("a name that nobody can have is shortened where the log tells of it", async () => {
  const { enter, log } = saslBench();
  const name = "u".repeat(50_000);
  expect(await enter().plain(name, "x")).toMatchObject({ errorCode: 58 });
  const line = JSON.stringify(log.lines.at(-1));
  expect(line).toContain(`User:${"u".repeat(userNameCharactersMax)}…`);
  expect(line.length).toBeLessThan(1_000);
});

it("a message of SCRAM that is far too long is refused like any that is none", async () => {
  const { enter, users } = saslBench();
  await makeUser(users, "carol", "pw");
  const ask = async (bytes: number): Promise<number | undefined> => {
    const client = enter();
    await client.handshake("SCRAM-SHA-256");
    const first = "n,,n=carol,r=";
    return (await client.authenticate(first.padEnd(bytes, "r")))?.errorCode;
  };
  expect(await ask(scramMessageBytesMax)).toBe(0);
  expect(await ask(scramMessageBytesMax + 1)).toBe(58);
});
