import { MetadataError } from "@millrace/core";
import { MemoryMetadataStore } from "@millrace/adapter-memory";
import { ApiKey, ErrorCode } from "@millrace/wire";
import { describe, expect, it } from "vitest";
import { metadataRequest, request, settled } from "../fixtures.ts";
import { saslWords } from "./sasl-words.ts";
import { deleteCredential, listenerName, makeUser, saslBench, scramFinal } from "./fixtures.ts";
import {
  reauthenticationMsMin,
  unauthenticatedMsMax,
  unauthenticatedRequestsMax,
} from "./limits.ts";

const jaas = `listener.name.${listenerName.toLowerCase()}.plain.sasl.jaas.config`;
const staticAlice = {
  [jaas]: 'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="secret";',
};
const alice = { configs: staticAlice };
const apiVersions = request(
  ApiKey.ApiVersions,
  { clientSoftwareName: "a", clientSoftwareVersion: "1" },
  { version: 3 },
);

describe("a client that logs in", () => {
  it.each(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const)(
    "by %s is who it says",
    async (by) => {
      const { enter, users } = saslBench();
      await makeUser(users, "carol", "pw");
      const client = enter();
      expect(await client.scram(by, "carol", "pw")).toMatchObject({ errorCode: 0 });
      expect(await client.principal()).toBe("User:carol");
    },
  );

  it("proves to it by SCRAM that the broker knows the password, too", async () => {
    const { enter, users } = saslBench();
    await makeUser(users, "carol", "pw");
    const answer = await enter().scram("SCRAM-SHA-512", "carol", "pw");
    expect(Buffer.from(answer?.authBytes ?? []).toString()).toMatch(/^v=[A-Za-z0-9+/]{86}==$/u);
  });

  it("may be one of the configuration, by PLAIN alone", async () => {
    const { enter } = saslBench(alice);
    const client = enter();
    expect(await client.plain("alice", "secret")).toMatchObject({ errorCode: 0 });
    expect(await client.principal()).toBe("User:alice");
    expect(await enter().plain("alice", "Secret")).toMatchObject({ errorCode: 58 });
    expect(await enter().scram("SCRAM-SHA-512", "alice", "secret")).toMatchObject({
      errorCode: 58,
    });
  });

  it("may ask for the versions first, once, and is told which mechanisms there are", async () => {
    const { enter } = saslBench(alice);
    const client = enter();
    expect(await client.ask(apiVersions)).toBeDefined();
    expect(await client.handshake("PLAIN")).toEqual({
      errorCode: 0,
      mechanisms: ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
    });
    const other = enter();
    await other.ask(apiVersions);
    expect(await other.ask(apiVersions)).toBeUndefined();
    expect(other.isClosed).toBe(true);
  });

  it("may send its tokens bare after a handshake of version 0", async () => {
    const { enter, users } = saslBench();
    await makeUser(users, "carol", "pw");
    const client = enter();
    await client.handshake("SCRAM-SHA-256", 0);
    const bare = "n=carol,r=clientNonce";
    const framed = (text: string): Uint8Array => {
      const bytes = Buffer.alloc(4 + text.length);
      bytes.writeInt32BE(text.length);
      bytes.write(text, 4);
      return bytes;
    };
    const first = await client.ask(framed(`n,,${bare}`));
    if (first === undefined) throw new Error("no answer");
    const final = scramFinal({ mechanism: "SCRAM-SHA-256", bare, first, password: "pw" });
    expect(Buffer.from((await client.ask(framed(final))) ?? []).toString()).toMatch(/^v=/u);
    expect(await client.principal()).toBe("User:carol");

    const guesser = enter();
    await guesser.handshake("PLAIN", 0);
    expect(await guesser.ask(framed("\0carol\0no"))).toBeUndefined();
    expect(guesser.isClosed).toBe(true);
  });

  it("of another broker's making is found by a look at what changed", async () => {
    const made = saslBench({ lookNow: () => makeUser(made.users, "new", "pw") });
    expect(await made.enter().plain("new", "pw")).toMatchObject({ errorCode: 0 });
  });
});

describe("the bytes that Kafka 4.3.1 answers with", () => {
  const configs = { ...staticAlice, "connections.max.reauth.ms": "20000" };
  const afterId = (reply: Uint8Array | undefined): string =>
    Buffer.from(reply?.subarray(4) ?? []).toString("latin1");
  const tokenOf = (text: string): Uint8Array =>
    request(ApiKey.SaslAuthenticate, { authBytes: Buffer.from(text) }, { version: 1 });

  it("are those of this broker, to a login", async () => {
    const client = saslBench({ configs }).enter();
    const handshake = request(ApiKey.SaslHandshake, { mechanism: "PLAIN" }, { version: 1 });
    expect(afterId(await client.ask(handshake))).toBe(
      "\0\0\0\0\0\x03\0\x05PLAIN\0\x0dSCRAM-SHA-256\0\x0dSCRAM-SHA-512",
    );
    expect(afterId(await client.ask(tokenOf("\0alice\0secret")))).toBe(
      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0N ",
    );
    expect(afterId(await client.ask(tokenOf("\0alice\0secret")))).toBe(
      `\0"\0ASaslAuthenticate request received after successful authentication${"\0".repeat(12)}`,
    );
  });

  it("are those of this broker, to a failure", async () => {
    const client = saslBench({ configs }).enter();
    await client.handshake("PLAIN");
    expect(afterId(await client.ask(tokenOf("\0alice\0nope")))).toBe(
      `\0:\x003Authentication failed: Invalid username or password${"\0".repeat(12)}`,
    );
    const scram = saslBench({ configs }).enter();
    await scram.handshake("SCRAM-SHA-512");
    const words = saslWords.badCredentials("authentication", "SCRAM-SHA-512");
    expect(afterId(await scram.ask(tokenOf("n,,n=nobody,r=abc")))).toBe(
      `\0:\0h${words}${"\0".repeat(12)}`,
    );
  });
});

describe("a client that fails to log in", () => {
  it.each([
    ["PLAIN", "Authentication failed: Invalid username or password"],
    ["SCRAM-SHA-512", /invalid credentials with SASL mechanism SCRAM-SHA-512$/u],
  ] as const)("is told the same by %s, whether the user exists or not", async (by, words) => {
    const { enter, users } = saslBench();
    await makeUser(users, "carol", "pw");
    const wrong = await enter().scram(by, "carol", "no");
    const nobody = await enter().scram(by, "nobody", "pw");
    expect(wrong?.errorCode).toBe(ErrorCode.SASL_AUTHENTICATION_FAILED);
    expect(wrong?.errorMessage).toMatch(words);
    expect(nobody).toEqual(wrong);
  });

  it("is told so after a delay, and its connection is closed", async () => {
    const configs = { ...staticAlice, "connection.failed.authentication.delay.ms": "700" };
    const { clock, enter, log, metric } = saslBench({ configs });
    const client = enter();
    await client.handshake("PLAIN");
    const asked = client.authenticate("\0alice\0no");
    clock.advance(0);
    await settled();
    clock.advance(690);
    await settled();
    expect(client.isClosed).toBe(false);
    expect(await asked).toMatchObject({ errorCode: 58 });
    expect(client.link.closedBy).toBe("written");
    expect(metric('millrace_authentications_total{mechanism="PLAIN",outcome="failed"}')).toBe(1);
    expect(log.lines.at(-1)?.message).toContain("User:alice failed to authenticate by PLAIN");
    expect(JSON.stringify(log.lines)).not.toContain("secret");
  });

  it("cannot act as another user", async () => {
    const { enter } = saslBench(alice);
    const client = enter();
    await client.handshake("PLAIN");
    const answer = await client.authenticate("bob\0alice\0secret");
    expect(answer?.errorMessage).toContain("authorization id that is different");
  });

  it("by a mechanism that is not served is told which are, and closed", async () => {
    const { enter } = saslBench();
    const client = enter();
    const answer = await client.handshake("GSSAPI");
    expect(answer?.errorCode).toBe(ErrorCode.UNSUPPORTED_SASL_MECHANISM);
    expect(answer?.mechanisms).toContain("SCRAM-SHA-512");
    expect(client.isClosed).toBe(true);
  });

  it("because the store does not answer is closed, so that it tries again", async () => {
    const cause = new MetadataError("away", { retriable: true, applied: "no" });
    const { enter, metric } = saslBench({ lookNow: () => Promise.reject(cause) });
    const client = enter();
    expect(await client.plain("carol", "pw")).toBeUndefined();
    expect(client.isClosed).toBe(true);
    const line = 'millrace_connections_closed_total{reason="authenticationUnavailable"}';
    expect(metric(line)).toBe(1);
  });
});

describe("before it has authenticated, a client", () => {
  it.each([
    ["Metadata", metadataRequest(1)],
    ["SaslAuthenticate", request(ApiKey.SaslAuthenticate, { authBytes: new Uint8Array(1) })],
    ["an API that there is not", Uint8Array.of(0, 0, 0, 8, 0x7f, 0, 0, 0, 0, 0, 0, 0)],
  ])("is closed for %s, and gets no answer", async (_, bytes) => {
    const { enter } = saslBench(alice);
    const client = enter();
    expect(await client.ask(bytes)).toBeUndefined();
    expect(client.isClosed).toBe(true);
  });

  it("is closed for anything but a token in the midst of an exchange", async () => {
    const { enter } = saslBench(alice);
    for (const bytes of [metadataRequest(1), apiVersions]) {
      const client = enter();
      await client.handshake("PLAIN");
      expect(await client.ask(bytes)).toBeUndefined();
      expect(client.isClosed).toBe(true);
    }
    const twice = enter();
    await twice.handshake("PLAIN");
    expect(await twice.handshake("PLAIN")).toEqual({ errorCode: 34, mechanisms: [] });
    expect(twice.isClosed).toBe(true);
  });

  it("has a bounded time, whatever it sends", async () => {
    const { clock, enter, metric } = saslBench(alice);
    const silent = enter();
    const busy = enter();
    const done = enter();
    await done.plain("alice", "secret");
    await busy.handshake("PLAIN");
    clock.advance(unauthenticatedMsMax);
    await settled();
    expect([silent.isClosed, busy.isClosed, done.isClosed]).toEqual([true, true, false]);
    expect(metric('millrace_connections_closed_total{reason="unauthenticated"}')).toBe(2);
  });

  it("may send small requests only, and any after that", async () => {
    const configs = { ...staticAlice, "sasl.server.max.receive.size": "1000" };
    const { enter, metric } = saslBench({ configs });
    const large = Uint8Array.of(0, 0, 3, 0xe9, 0, 0);
    const early = enter();
    await early.ask(large);
    expect(early.isClosed).toBe(true);
    expect(metric('millrace_connections_closed_total{reason="frameTooLarge"}')).toBe(1);
    const late = enter();
    await late.plain("alice", "secret");
    await late.ask(large);
    expect(late.isClosed).toBe(false);
  });

  it("is read one request at a time", async () => {
    expect(unauthenticatedRequestsMax).toBe(1);
    const { enter, metric } = saslBench(alice);
    const client = enter();
    await client.handshake("PLAIN");
    const tokens = Array.from({ length: 20 }, () => {
      return request(ApiKey.SaslAuthenticate, { authBytes: Buffer.from("\0alice\0no") });
    });
    client.link.listener?.receive(Buffer.concat(tokens));
    expect(client.link.isPaused).toBe(true);
    expect(metric("millrace_requests_in_flight")).toBe(1);
  });
});

describe("an authentication", () => {
  const short = { configs: { ...staticAlice, "connections.max.reauth.ms": "5000" } };

  it("tells how long it holds, from version 1 on", async () => {
    const { enter } = saslBench(short);
    expect(await enter().plain("alice", "secret")).toMatchObject({ sessionLifetimeMs: 5000 });
    const unbound = saslBench(alice);
    expect(await unbound.enter().plain("alice", "secret")).toMatchObject({ sessionLifetimeMs: 0 });
  });

  it("that is over ends the connection at its next request, unless it begins anew", async () => {
    const { clock, enter, metric } = saslBench(short);
    const late = enter();
    await late.plain("alice", "secret");
    clock.advance(5_001);
    expect(await late.principal()).toBeUndefined();
    expect(metric('millrace_connections_closed_total{reason="authenticationExpired"}')).toBe(1);

    const renewed = enter();
    await renewed.plain("alice", "secret");
    clock.advance(5_001);
    expect(await renewed.plain("alice", "secret")).toMatchObject({ errorCode: 0 });
    expect(await renewed.principal()).toBe("User:alice");
  });

  it("is not begun again within a second of the last time, and the connection goes on", async () => {
    const { clock, enter } = saslBench(alice);
    const client = enter();
    await client.plain("alice", "secret");
    await client.plain("alice", "secret");
    expect(await client.handshake("PLAIN")).toEqual({ errorCode: 34, mechanisms: [] });
    expect(await client.principal()).toBe("User:alice");
    clock.advance(reauthenticationMsMin);
    expect(await client.handshake("PLAIN")).toMatchObject({ errorCode: 0 });
  });

  it("is not for another user or by another mechanism, the next time", async () => {
    const { enter, users } = saslBench(alice);
    await makeUser(users, "carol", "pw");
    const client = enter();
    await client.plain("carol", "pw");
    const answer = await client.plain("alice", "secret");
    expect(answer?.errorMessage).toContain("from User.carol: User.alice");
    expect(client.isClosed).toBe(true);
    const other = enter();
    await other.plain("carol", "pw");
    expect(await other.handshake("SCRAM-SHA-256")).toMatchObject({ errorCode: 0 });
    expect(await other.authenticate("n,,n=carol,r=abc")).toBeUndefined();
    expect(other.isClosed).toBe(true);
  });

  it("that is done takes no token", async () => {
    const { enter } = saslBench(alice);
    const client = enter();
    await client.plain("alice", "secret");
    expect(await client.authenticate("\0alice\0secret")).toMatchObject({
      errorCode: ErrorCode.ILLEGAL_SASL_STATE,
    });
    expect(await client.principal()).toBe("User:alice");
  });
});

describe("a credential that is deleted", () => {
  it("lets nobody in any more, and ends the connections that rest on it", async () => {
    const { enter, metric, users } = saslBench(alice);
    await makeUser(users, "carol", "pw");
    await makeUser(users, "dave", "pw");
    const byPlain = enter();
    const by512 = enter();
    const by256 = enter();
    const dave = enter();
    const fromFile = enter();
    await byPlain.plain("carol", "pw");
    await by512.scram("SCRAM-SHA-512", "carol", "pw");
    await by256.scram("SCRAM-SHA-256", "carol", "pw");
    await dave.plain("dave", "pw");
    await fromFile.plain("alice", "secret");
    await deleteCredential(users, "carol", "SCRAM-SHA-512");
    const all = [byPlain, by512, by256, dave, fromFile];
    expect(all.map((client) => client.isClosed)).toEqual([true, true, false, false, false]);
    expect(await enter().plain("carol", "pw")).toMatchObject({ errorCode: 58 });
    expect(await enter().scram("SCRAM-SHA-512", "carol", "pw")).toMatchObject({ errorCode: 58 });
    expect(await enter().scram("SCRAM-SHA-256", "carol", "pw")).toMatchObject({ errorCode: 0 });
    await settled();
    expect(metric('millrace_connections_closed_total{reason="credentialDeleted"}')).toBe(2);
  });

  it("in the midst of an exchange lets nobody in, also where it was made anew", async () => {
    const { enter, users } = saslBench();
    await makeUser(users, "carol", "pw");
    const client = enter();
    await client.handshake("SCRAM-SHA-512");
    const bare = "n=carol,r=abc";
    const first = await client.authenticate(`n,,${bare}`);
    await deleteCredential(users, "carol", "SCRAM-SHA-512");
    await makeUser(users, "carol", "pw");
    const said = { mechanism: "SCRAM-SHA-512", bare, password: "pw" } as const;
    const final = scramFinal({ ...said, first: first?.authBytes ?? new Uint8Array(0) });
    expect(await client.authenticate(final)).toMatchObject({ errorCode: 58 });
  });

  it("is another thing than a new password, with which connections go on", async () => {
    const { enter, users } = saslBench({ store: new MemoryMetadataStore() });
    await makeUser(users, "carol", "old");
    const client = enter();
    await client.plain("carol", "old");
    await makeUser(users, "carol", "new");
    expect(await client.principal()).toBe("User:carol");
    expect(await enter().plain("carol", "old")).toMatchObject({ errorCode: 58 });
    expect(await enter().plain("carol", "new")).toMatchObject({ errorCode: 0 });
  });

  it("is remembered for no connection that is gone", async () => {
    const { enter, users } = saslBench();
    await makeUser(users, "carol", "pw");
    const client = enter();
    await client.handshake("PLAIN");
    client.link.listener?.receive(
      request(ApiKey.SaslAuthenticate, { authBytes: Buffer.from("\0carol\0pw") }),
    );
    client.link.cut(undefined);
    await settled();
    await deleteCredential(users, "carol", "SCRAM-SHA-512");
    expect(client.link.closedBy).toBeUndefined();
  });
});
