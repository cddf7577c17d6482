import { describe, expect, it } from "vitest";
import { parseSettings } from "../config/settings.ts";
import { readJaas } from "./jaas.ts";
import type { ListenerSecurity } from "./listener-security.ts";

const plain = "org.apache.kafka.common.security.plain.PlainLoginModule";
const pem = { "ssl.keystore.key": "KEY", "ssl.keystore.certificate.chain": "CHAIN" };

function parsed(entries: Record<string, string>) {
  return parseSettings(new Map(Object.entries(entries)));
}

function only(entries: Record<string, string>): ListenerSecurity {
  const { invalid, settings } = parsed(entries);
  expect(invalid).toEqual([]);
  const [first] = settings.security;
  if (first === undefined) throw new Error("no listener");
  return first;
}

describe("what a listener demands", () => {
  it("is nothing on PLAINTEXT, also under a name that only begins so", () => {
    const { settings } = parsed({ listeners: "PLAINTEXT://:9092,PLAINTEXT_HOST://:9093" });
    expect(settings.security).toEqual([
      { name: "PLAINTEXT", protocol: "PLAINTEXT" },
      { name: "PLAINTEXT_HOST", protocol: "PLAINTEXT" },
    ]);
  });

  it("follows the map, listener by listener", () => {
    const { invalid, settings } = parsed({
      ...pem,
      listeners: "INSIDE://:1,OUTSIDE://:2,BOTH://:3,OPEN://:4",
      "listener.security.protocol.map":
        "INSIDE:SASL_PLAINTEXT,OUTSIDE:ssl,BOTH:SASL_SSL,OPEN:PLAINTEXT",
    });
    expect(invalid).toEqual([]);
    const shown = settings.security.map(({ name, protocol, sasl, tls }) => [
      ...[name, protocol, sasl !== undefined, tls !== undefined],
    ]);
    expect(shown).toEqual([
      ["INSIDE", "SASL_PLAINTEXT", true, false],
      ["OUTSIDE", "SSL", false, true],
      ["BOTH", "SASL_SSL", true, true],
      ["OPEN", "PLAINTEXT", false, false],
    ]);
  });

  it("is what stands for the listener, and for one mechanism of it, before what stands for all", () => {
    const { sasl } = only({
      listeners: "SASL_PLAINTEXT://:1",
      "sasl.enabled.mechanisms": "PLAIN",
      "listener.name.sasl_plaintext.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
      "connections.max.reauth.ms": "1000",
      "listener.name.sasl_plaintext.plain.connections.max.reauth.ms": "2000",
    });
    expect(sasl?.mechanisms).toEqual(["PLAIN", "SCRAM-SHA-512"]);
    expect([...(sasl?.reauthMsMax ?? [])]).toEqual([
      ["PLAIN", 2000],
      ["SCRAM-SHA-512", 1000],
    ]);
  });

  it("may name users of PLAIN, as in Kafka", () => {
    const { sasl } = only({
      listeners: "SASL_PLAINTEXT://:1",
      "listener.name.sasl_plaintext.plain.sasl.jaas.config": `${plain} required username="x" user_alice="a;\\"b" user_bob=c;`,
    });
    expect([...(sasl?.staticUsers ?? [])]).toEqual([
      ["alice", 'a;"b'],
      ["bob", "c"],
    ]);
  });

  it("takes clients' certificates by SASL_SSL only where the listener itself says so", () => {
    const entries = { ...pem, listeners: "SASL_SSL://:1", "ssl.truststore.certificates": "T" };
    expect(only({ ...entries, "ssl.client.auth": "required" }).tls?.clientAuth).toBe("none");
    const own = { "listener.name.sasl_ssl.ssl.client.auth": "required" };
    expect(only({ ...entries, ...own }).tls?.clientAuth).toBe("required");
    const ssl = { ...entries, listeners: "SSL://:1", "ssl.client.auth": "requested" };
    expect(only(ssl).tls?.clientAuth).toBe("requested");
  });

  it.each([
    ["a name that no map has", { listeners: "EXTERNAL://:1" }, /no security protocol/],
    [
      "a map of something else",
      { listeners: "PLAINTEXT://:1", "listener.security.protocol.map": "A:KERBEROS" },
      /A:KERBEROS.*SASL_SSL/,
    ],
    [
      "a mechanism that is not served",
      { listeners: "SASL_PLAINTEXT://:1", "sasl.enabled.mechanisms": "GSSAPI" },
      /GSSAPI is not served/,
    ],
    ["TLS without a key", { listeners: "SSL://:1" }, /needs ssl.keystore.location/],
    [
      "a key store of Java's",
      { ...pem, listeners: "SSL://:1", "ssl.keystore.type": "JKS" },
      /JKS is not read; PEM is/,
    ],
    [
      "clients' certificates without anybody who vouches for them",
      { ...pem, listeners: "SSL://:1", "ssl.client.auth": "required" },
      /needs ssl.truststore/,
    ],
    ["half an admin", { "millrace.admin.user": "root" }, /go together/],
  ])("is refused with a sentence: %s", (_, entries, words) => {
    expect(parsed({ listeners: "PLAINTEXT://:9092", ...entries }).invalid.join("\n")).toMatch(
      words,
    );
  });

  it("is refused without telling a password", () => {
    const key = "listener.name.sasl_plaintext.plain.sasl.jaas.config";
    const { invalid } = parsed({
      listeners: "SASL_PLAINTEXT://:1",
      [key]: `${plain} required user_alice="hunter2"`,
    });
    expect(invalid.join()).toContain(key);
    expect(invalid.join()).not.toContain("hunter2");
  });
});

describe("a JAAS entry", () => {
  it.each([
    "",
    "a.B",
    "a.B required",
    "a.B maybe;",
    "a.B required x;",
    'a.B required x="1;',
    "a=b required;",
  ])("is not %j", (line) => {
    expect(readJaas(line).ok).toBe(false);
  });

  it("has a module, a flag and options", () => {
    const entry = readJaas(' a.B  required\n  x="1 2" y = 3 ; ');
    expect(entry).toEqual({
      ok: true,
      loginModule: "a.B",
      options: new Map([
        ["x", "1 2"],
        ["y", "3"],
      ]),
    });
  });
});
