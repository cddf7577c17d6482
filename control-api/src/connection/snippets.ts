/**
 * What a user pastes to connect, for each client. The login stands in two variables of the
 * environment, `MILLRACE_USERNAME` and `MILLRACE_PASSWORD`; where a file can't read any, the shell
 * puts them in. The CA is in a file `millrace-ca.pem`, which the first lines of a snippet write.
 */
import type { ConnectionFacts } from "../ports/cluster-access.ts";

export interface Snippet {
  readonly client: string;
  readonly language: string;
  readonly text: string;
}

interface Facts {
  readonly servers: string;
  readonly list: readonly string[];
  readonly protocol: ConnectionFacts["securityProtocol"];
  /** Undefined: no login. */
  readonly mechanism: string | undefined;
  readonly isTls: boolean;
  readonly ca: string | undefined;
}

const preferred = ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"];

export function snippetsFor(connection: ConnectionFacts): readonly Snippet[] {
  const { bootstrapServers, caCertificate, saslMechanisms, securityProtocol } = connection;
  const facts: Facts = {
    servers: bootstrapServers.join(","),
    list: bootstrapServers,
    protocol: securityProtocol,
    mechanism: preferred.find((name) => saslMechanisms.includes(name)),
    isTls: securityProtocol.endsWith("SSL"),
    ca: caCertificate?.trim(),
  };
  return [
    { client: "java", language: "properties", text: java(facts) },
    { client: "librdkafka", language: "python", text: python(facts) },
    { client: "@millrace/sdk", language: "typescript", text: sdk(facts) },
    { client: "kafkajs", language: "javascript", text: kafkajs(facts) },
    { client: "franz-go", language: "go", text: go(facts) },
    { client: "kcat", language: "shell", text: kcat(facts) },
    { client: "cli", language: "shell", text: cli(facts) },
  ];
}

function lines(...parts: readonly (string | readonly string[])[]): string {
  return `${parts.flat().join("\n")}\n`;
}

/** Kafka's properties; `${env:…}` is read by its EnvVarConfigProvider (KIP-887). */
function java({ ca, isTls, mechanism, protocol, servers }: Facts): string {
  const login =
    mechanism === undefined
      ? []
      : [
          "config.providers=env",
          "config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider",
          `sasl.mechanism=${mechanism}`,
          `sasl.jaas.config=${jaas(mechanism, { username: "${env:MILLRACE_USERNAME}", password: "${env:MILLRACE_PASSWORD}" })}`,
        ];
  return lines(
    `bootstrap.servers=${servers}`,
    `security.protocol=${protocol}`,
    login,
    isTls && ca !== undefined ? inlineTrust(ca) : [],
  );
}

function jaas(
  mechanism: string,
  login: { readonly username: string; readonly password: string },
): string {
  const plain = "org.apache.kafka.common.security.plain.PlainLoginModule";
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule";
  const module = mechanism === "PLAIN" ? plain : scram;
  return `${module} required username="${login.username}" password="${login.password}";`;
}

/** The certificate itself (KIP-651), one line of the properties on several of the file. */
function inlineTrust(ca: string): readonly string[] {
  const text = ca.split("\n").map((line, index) => (index === 0 ? line : `  ${line}`));
  return ["ssl.truststore.type=PEM", `ssl.truststore.certificates=${text.join("\\n\\\n")}`];
}

function python({ ca, isTls, mechanism, protocol, servers }: Facts): string {
  const entries = [
    `    "bootstrap.servers": ${JSON.stringify(servers)},`,
    `    "security.protocol": ${JSON.stringify(protocol)},`,
  ];
  if (mechanism !== undefined) {
    entries.push(
      `    "sasl.mechanism": ${JSON.stringify(mechanism)},`,
      '    "sasl.username": os.environ["MILLRACE_USERNAME"],',
      '    "sasl.password": os.environ["MILLRACE_PASSWORD"],',
    );
  }
  if (isTls && ca !== undefined) entries.push('    "ssl.ca.pem": ca,');
  return lines(
    mechanism === undefined ? [] : ["import os", ""],
    "from confluent_kafka import Producer",
    "",
    isTls && ca !== undefined ? [`ca = """${ca}`, '"""', ""] : [],
    "config = {",
    entries,
    "}",
    "producer = Producer(config)",
  );
}

function tlsInCode({ ca, isTls }: Facts, field: string): readonly string[] {
  if (!isTls) return [];
  return [ca === undefined ? `  ${field}: true,` : `  ${field}: { ca },`];
}

function sdk(facts: Facts): string {
  const { ca, isTls, list, mechanism } = facts;
  const login = [
    "  sasl: {",
    `    mechanism: ${JSON.stringify(mechanism)},`,
    '    username: process.env["MILLRACE_USERNAME"] ?? "",',
    '    password: process.env["MILLRACE_PASSWORD"] ?? "",',
    "  },",
  ];
  return lines(
    'import { connect } from "@millrace/sdk";',
    "",
    isTls && ca !== undefined ? [`const ca = \`${ca}\n\`;`] : [],
    "const client = connect({",
    `  brokers: ${JSON.stringify(list)},`,
    tlsInCode(facts, "tls"),
    mechanism === undefined ? [] : login,
    "});",
  );
}

function kafkajs(facts: Facts): string {
  const { ca, isTls, list, mechanism } = facts;
  const login = [
    "  sasl: {",
    `    mechanism: ${JSON.stringify(mechanism?.toLowerCase())},`,
    "    username: process.env.MILLRACE_USERNAME,",
    "    password: process.env.MILLRACE_PASSWORD,",
    "  },",
  ];
  return lines(
    'const { Kafka } = require("kafkajs");',
    "",
    isTls && ca !== undefined ? [`const ca = \`${ca}\n\`;`] : [],
    "const kafka = new Kafka({",
    `  brokers: ${JSON.stringify(list)},`,
    tlsInCode(facts, "ssl"),
    mechanism === undefined ? [] : login,
    "});",
  );
}

function go({ ca, isTls, list, mechanism }: Facts): string {
  const isScram = mechanism !== undefined && mechanism !== "PLAIN";
  const sasl = isScram
    ? `scram.Auth{User: os.Getenv("MILLRACE_USERNAME"), Pass: os.Getenv("MILLRACE_PASSWORD")}.As${mechanism.endsWith("512") ? "Sha512" : "Sha256"}Mechanism()`
    : 'plain.Auth{User: os.Getenv("MILLRACE_USERNAME"), Pass: os.Getenv("MILLRACE_PASSWORD")}.AsMechanism()';
  const hasCa = isTls && ca !== undefined;
  const imports = [
    ...(isTls ? ['\t"crypto/tls"'] : []),
    ...(hasCa ? ['\t"crypto/x509"'] : []),
    ...(mechanism === undefined ? [] : ['\t"os"']),
    ...(isTls || mechanism !== undefined ? [""] : []),
    '\t"github.com/twmb/franz-go/pkg/kgo"',
    ...(mechanism === undefined
      ? []
      : [`\t"github.com/twmb/franz-go/pkg/sasl/${isScram ? "scram" : "plain"}"`]),
  ];
  return lines(
    ["package main", "", "import (", imports, ")", ""].flat(),
    hasCa ? [`const ca = \`${ca}\n\``, ""] : [],
    "func connect() (*kgo.Client, error) {",
    hasCa ? ["\troots := x509.NewCertPool()", "\troots.AppendCertsFromPEM([]byte(ca))"] : [],
    "\treturn kgo.NewClient(",
    `\t\tkgo.SeedBrokers(${list.map((server) => JSON.stringify(server)).join(", ")}),`,
    isTls ? [`\t\tkgo.DialTLSConfig(&tls.Config{${hasCa ? "RootCAs: roots" : ""}}),`] : [],
    mechanism === undefined ? [] : [`\t\tkgo.SASL(${sasl}),`],
    "\t)",
    "}",
  );
}

/** In the shell, for what reads files only. */
function writesCa(ca: string | undefined): readonly string[] {
  return ca === undefined ? [] : ["cat > millrace-ca.pem <<'PEM'", ca, "PEM"];
}

function kcat({ ca, isTls, mechanism, protocol, servers }: Facts): string {
  const options = [
    `-b ${servers}`,
    `-X security.protocol=${protocol}`,
    ...(mechanism === undefined
      ? []
      : [
          `-X sasl.mechanism=${mechanism}`,
          '-X sasl.username="$MILLRACE_USERNAME"',
          '-X sasl.password="$MILLRACE_PASSWORD"',
        ]),
    ...(isTls && ca !== undefined ? ["-X ssl.ca.location=millrace-ca.pem"] : []),
  ];
  return lines(isTls ? writesCa(ca) : [], `kcat -L \\\n  ${options.join(" \\\n  ")}`);
}

/** Kafka's own command-line tools. */
function cli({ ca, isTls, mechanism, protocol, servers }: Facts): string {
  const login =
    mechanism === undefined
      ? []
      : [
          `sasl.mechanism=${mechanism}`,
          `sasl.jaas.config=${jaas(mechanism, { username: "$MILLRACE_USERNAME", password: "$MILLRACE_PASSWORD" })}`,
        ];
  const trust = ["ssl.truststore.type=PEM", "ssl.truststore.location=millrace-ca.pem"];
  return lines(
    isTls ? writesCa(ca) : [],
    "cat > millrace.properties <<END",
    `security.protocol=${protocol}`,
    login,
    isTls && ca !== undefined ? trust : [],
    "END",
    `kafka-topics.sh --bootstrap-server ${servers} --command-config millrace.properties --list`,
  );
}
