import {
  brokerConfigs,
  type ConfigDefinition,
  groupConfigs,
  parseConfig,
  parseSettings,
  topicConfigs,
  topicNameFault,
} from "@millrace/core";
import { uuidFromBase64, uuidFromHex } from "@millrace/wire";
import { parseListener, listenerAddresses } from "../../../broker-fargate/src/listener-address.ts";
import { firstSeqOf } from "../../../broker-fargate/src/journal/files/journal-files.ts";
import { readOptions, UsageError } from "../../../broker-fargate/src/options.ts";
import {
  checkpointIncarnation,
  readSegmentKey,
} from "../../../broker-fargate/src/tier/object-keys.ts";
import { parseSlots } from "../../../core/src/cluster/slot-list.ts";
import { parseFileName } from "../../../core/src/log/file-names.ts";
import { parseBesideName } from "../../../core/src/log/replacement.ts";
import { readJaas } from "../../../core/src/security/jaas.ts";
import { readPlain } from "../../../core/src/security/plain.ts";
import { readClientFinal, readClientFirst } from "../../../core/src/security/scram-messages.ts";
import { type Decoder, valueOr } from "./decoder.ts";

/** What a person or an environment writes: every byte string is a text, if an odd one. */
const utf8 = new TextDecoder();
const encoder = new TextEncoder();

function textDecoder(
  name: string,
  samples: readonly string[],
  read: (text: string) => "value" | "refused",
): Decoder {
  return {
    name,
    samples: samples.map((sample) => encoder.encode(sample)),
    read: (bytes) => read(utf8.decode(bytes)),
  };
}

const properties = `# a broker
listeners=PLAINTEXT://0.0.0.0:9092,PLAINTEXT_B://[::1]:9093
advertised.listeners = PLAINTEXT://broker.example:9092
log.retention.hours: 168
message.max.bytes=1048588
compression.type=producer
millrace.durability=journal
ssl.keystore.password=a\\u0020b\\
  c
`;

function readProperties(text: string): "value" | "refused" {
  return valueOr(UsageError, () => {
    const options = readOptions({
      args: ["--config", "server.properties"],
      environment: {},
      readFile: () => text,
    });
    if (options === "help") throw new Error("asked for nothing");
    settingsOf(options.entries);
  });
}

function settingsOf(entries: ReadonlyMap<string, string>): void {
  const { settings } = parseSettings(entries);
  listenerAddresses(settings);
}

/** NAME=VALUE lines. */
function readEnvironment(text: string): "value" | "refused" {
  return valueOr(UsageError, () => {
    const lines = text.split("\n").map((line): [string, string] => {
      const at = line.indexOf("=");
      return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
    });
    const environment = Object.fromEntries(lines);
    const options = readOptions({ args: [], environment, readFile: () => "" });
    if (options !== "help") settingsOf(options.entries);
  });
}

function readFlags(text: string): "value" | "refused" {
  return valueOr(UsageError, () => {
    const options = readOptions({ args: text.split("\n"), environment: {}, readFile: () => "" });
    if (options !== "help") settingsOf(options.entries);
  });
}

const definitions: readonly ConfigDefinition[] = [
  ...topicConfigs.values(),
  ...brokerConfigs.values(),
  ...groupConfigs.values(),
];

/** Every definition at once: what is a value for one is refused by another. */
function readConfig(text: string): "value" | "refused" {
  let accepted = 0;
  for (const definition of definitions) {
    const parsed = parseConfig(definition, text);
    if (!parsed.ok) continue;
    accepted += 1;
    const again = parseConfig(definition, parsed.text);
    if (!again.ok || again.text !== parsed.text) {
      throw new Error(`${definition.name}: ${parsed.text} is not what it was read from`);
    }
  }
  return accepted > definitions.length / 2 ? "value" : "refused";
}

const isDefined = (value: unknown): "value" | "refused" =>
  value === undefined ? "refused" : "value";

const segmentKeySample = `c/data/0a1b/${"7b".repeat(16)}/2/${"0".repeat(18)}40-7-3-5a5a`;

/** What a client sends to log in, and what an operator writes for it. */
function loginDecoders(): readonly Decoder[] {
  const bytesDecoder = (
    name: string,
    samples: readonly string[],
    read: (bytes: Uint8Array) => unknown,
  ): Decoder => ({
    name,
    samples: samples.map((sample) => encoder.encode(sample)),
    read: (bytes) => isDefined(read(bytes)),
  });
  const jaas = 'a.b.ScramLoginModule required username="carol" password="a\\"b";';
  return [
    bytesDecoder("PLAIN's message", ["\0carol\0secret", "me\0carol\0secret"], (bytes) => {
      const message = readPlain(bytes);
      return message.ok ? message : undefined;
    }),
    bytesDecoder(
      "SCRAM's first message",
      ["n,,n=carol,r=abcdef", "n,a=me,n=a=2Cb=3Dc,r=abc,tokenauth=true"],
      readClientFirst,
    ),
    bytesDecoder("SCRAM's final message", ["c=biws,r=abcdef,p=AAAA"], readClientFinal),
    textDecoder("JAAS entry", [jaas], (text) => (readJaas(text).ok ? "value" : "refused")),
  ];
}

export function textDecoders(): readonly Decoder[] {
  const zeros = "0".repeat(20);
  return [
    textDecoder("server.properties", [properties, "a=b", ""], readProperties),
    textDecoder(
      "KAFKA_ environment",
      ["KAFKA_LOG_RETENTION_MS=1000\nKAFKA_MESSAGE_MAX_BYTES=5\nPATH=/bin", "KAFKA_LISTENERS="],
      readEnvironment,
    ),
    textDecoder(
      "flags",
      ["--port\n9092\n--set\nlog.retention.ms=5\n--http-port\noff", "--data\nd\n--help"],
      readFlags,
    ),
    textDecoder("listener address", ["PLAINTEXT://localhost:9092", "A://[::1]:0"], (text) =>
      isDefined(parseListener(text)),
    ),
    textDecoder("configuration value", ["1024", "true", "a,b,*", "0.5", "1:2,3:4"], readConfig),
    textDecoder("topic name", ["orders.eu-1_x"], (text) =>
      topicNameFault(text) === undefined ? "value" : "refused",
    ),
    textDecoder("uuid in base64url", ["AbCdEfGhIjKlMnOpQrStUg"], (text) =>
      valueOr(RangeError, () => uuidFromBase64(text)),
    ),
    textDecoder("uuid in hex", ["0123456789abcdef".repeat(2)], (text) =>
      valueOr(RangeError, () => uuidFromHex(text)),
    ),
    textDecoder("name of a log's file", [`${zeros}.log`, `${zeros}.timeindex`], (text) =>
      isDefined(parseFileName(text)),
    ),
    textDecoder("name of a journal's file", [`${zeros}.journal`], (text) =>
      isDefined(firstSeqOf(text)),
    ),
    textDecoder("name of a replacement's file", [`${zeros}-${zeros}.cleaned`], (text) =>
      isDefined(parseBesideName(text)),
    ),
    textDecoder("list of slots", ["0,3,6-9", "", "15"], (text) => isDefined(parseSlots(text, 16))),
    textDecoder("key of a cold segment", [segmentKeySample], (text) =>
      isDefined(readSegmentKey("c", text)),
    ),
    textDecoder("key of a checkpoint", [`c/checkpoint/3-${"5a".repeat(16)}/${zeros}`], (text) =>
      isDefined(checkpointIncarnation("c", text)),
    ),
    ...loginDecoders(),
  ];
}
