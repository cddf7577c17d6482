/**
 * What each listener demands of its clients, by Kafka's keys: `listener.security.protocol.map`,
 * `sasl.*` and `ssl.*`. A key that begins with `listener.name.{name}.` is for that listener, and one
 * with `{mechanism}.` after it for that mechanism; the narrower one holds.
 */
import { isSaslMechanism, type SaslMechanism, saslMechanisms } from "./mechanisms.ts";
import { readJaas } from "./jaas.ts";

export type SecurityProtocol = "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL";

export interface ListenerSecurity {
  /** The listener's name, as it is configured. */
  readonly name: string;
  readonly protocol: SecurityProtocol;
  /** Absent: clients do not authenticate by SASL. */
  readonly sasl?: SaslSettings;
  /** Absent: bytes go as they are. */
  readonly tls?: TlsSettings;
}

export interface SaslSettings {
  readonly mechanisms: readonly SaslMechanism[];
  /** Of PLAIN, with their passwords, beside those of the metadata store. */
  readonly staticUsers: ReadonlyMap<string, string>;
  /** How long an authentication holds (KIP-368); 0: for ever. */
  readonly reauthMsMax: ReadonlyMap<SaslMechanism, number>;
}

export interface TlsSettings {
  readonly key: PemSource;
  readonly certificates: PemSource;
  readonly keyPassword: string | undefined;
  /** Who vouches for clients' certificates. */
  readonly trusted: PemSource | undefined;
  readonly clientAuth: "none" | "requested" | "required";
  readonly versions: readonly string[];
}

export type PemSource =
  | { readonly from: "file"; readonly path: string }
  | { readonly from: "text"; readonly text: string };

/** Reads values that are set; `undefined` where a key is not. */
export interface SecurityValues {
  readonly listeners: readonly string[];
  readonly protocolMap: string;
  /** The value that is set under this very name. */
  readonly own: (name: string) => string | undefined;
  /** The value or the default of a broker's key. */
  readonly common: (name: string) => string;
}

export interface ParsedSecurity {
  readonly listeners: readonly ListenerSecurity[];
  /** One sentence each; a broker must not start with any. None names a secret. */
  readonly faults: readonly string[];
}

const protocols: readonly SecurityProtocol[] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

export function listenerSecurity(values: SecurityValues): ParsedSecurity {
  const faults: string[] = [];
  const map = protocolsByName(values.protocolMap, faults);
  const listeners: ListenerSecurity[] = [];
  for (const text of values.listeners) {
    const name = text.trim().split("://")[0] ?? "";
    // As in Kafka, but for names that speak for themselves.
    const protocol = map.get(name) ?? (/^PLAINTEXT/iu.test(name) ? "PLAINTEXT" : undefined);
    if (protocol === undefined) {
      faults.push(`listeners: no security protocol is defined for ${name}`);
      continue;
    }
    const reader = new ListenerValues(values, name);
    const hasSasl = protocol.startsWith("SASL_");
    const hasTls = protocol.endsWith("SSL");
    listeners.push({
      ...{ name, protocol },
      ...(hasSasl ? { sasl: saslSettings(reader, faults) } : {}),
      ...(hasTls ? tlsSettings(reader, { faults, hasSasl }) : {}),
    });
  }
  return { listeners, faults };
}

class ListenerValues {
  readonly #values: SecurityValues;
  readonly #prefix: string;

  constructor(values: SecurityValues, name: string) {
    this.#values = values;
    this.#prefix = `listener.name.${name.toLowerCase()}.`;
  }

  /** Set for this listener, and perhaps for one mechanism of it. */
  own(key: string, mechanism?: SaslMechanism): string | undefined {
    const infix = mechanism === undefined ? "" : `${mechanism.toLowerCase()}.`;
    return this.#values.own(`${this.#prefix}${infix}${key}`);
  }

  text(key: string, mechanism?: SaslMechanism): string {
    const narrow = mechanism === undefined ? undefined : this.own(key, mechanism);
    return (narrow ?? this.own(key) ?? this.#values.common(key)).trim();
  }

  optional(key: string): string | undefined {
    const text = this.text(key);
    return text === "" ? undefined : text;
  }

  name(key: string, mechanism?: SaslMechanism): string {
    return `${this.#prefix}${mechanism === undefined ? "" : `${mechanism.toLowerCase()}.`}${key}`;
  }
}

function protocolsByName(text: string, faults: string[]): ReadonlyMap<string, SecurityProtocol> {
  const map = new Map<string, SecurityProtocol>();
  for (const pair of text.split(",")) {
    const [name = "", word = ""] = pair.split(":").map((part) => part.trim());
    const protocol = protocols.find((candidate) => candidate === word.toUpperCase());
    if (protocol !== undefined && name !== "") map.set(name, protocol);
    else if (pair.trim() !== "") {
      const known = protocols.join(", ");
      faults.push(`listener.security.protocol.map: "${pair.trim()}" is not NAME: one of ${known}`);
    }
  }
  return map;
}

function saslSettings(values: ListenerValues, faults: string[]): SaslSettings {
  const names = entriesOf(values.text("sasl.enabled.mechanisms"));
  const served = saslMechanisms.join(", ");
  for (const name of names) {
    if (isSaslMechanism(name)) continue;
    faults.push(`sasl.enabled.mechanisms: ${name} is not served; these are: ${served}`);
  }
  const mechanisms = names.filter(isSaslMechanism);
  const reauthMsMax = new Map<SaslMechanism, number>();
  for (const mechanism of mechanisms) {
    const ms = Number(values.text("connections.max.reauth.ms", mechanism));
    reauthMsMax.set(mechanism, Math.max(0, ms));
  }
  return { mechanisms, reauthMsMax, staticUsers: staticUsers(values, faults) };
}

function staticUsers(values: ListenerValues, faults: string[]): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  const text = values.own("sasl.jaas.config", "PLAIN");
  if (text === undefined) return users;
  const entry = readJaas(text);
  const isPlain = entry.ok && entry.loginModule.endsWith("PlainLoginModule");
  if (!isPlain) {
    const name = values.name("sasl.jaas.config", "PLAIN");
    faults.push(`${name} is not: …PlainLoginModule required user_name="password" …;`);
    return users;
  }
  for (const [option, password] of entry.options) {
    if (option.startsWith("user_")) users.set(option.slice("user_".length), password);
  }
  return users;
}

function tlsSettings(
  values: ListenerValues,
  { faults, hasSasl }: { readonly faults: string[]; readonly hasSasl: boolean },
): { readonly tls?: TlsSettings } {
  const key = pem(values, "ssl.keystore.key", "ssl.keystore.location");
  const certificates = pem(values, "ssl.keystore.certificate.chain", "ssl.keystore.location");
  const trusted = pem(values, "ssl.truststore.certificates", "ssl.truststore.location");
  const typed = ["ssl.keystore.type", ...(trusted === undefined ? [] : ["ssl.truststore.type"])];
  for (const typeKey of typed) {
    const type = values.text(typeKey);
    if (type.toUpperCase() === "PEM") continue;
    faults.push(`${typeKey}: ${type} is not read; PEM is (keytool and openssl turn one into it)`);
  }
  const clientAuth = clientAuthOf(values, hasSasl);
  if (key === undefined || certificates === undefined) {
    const keys = "ssl.keystore.location, or ssl.keystore.key and ssl.keystore.certificate.chain";
    faults.push(`${values.name("")} speaks TLS and needs ${keys}`);
    return {};
  }
  if (clientAuth !== "none" && trusted === undefined) {
    const keys = "ssl.truststore.location or ssl.truststore.certificates";
    faults.push(`ssl.client.auth=${clientAuth} needs ${keys}`);
  }
  const keyPassword = values.optional("ssl.key.password");
  const versions = entriesOf(values.text("ssl.enabled.protocols"));
  return { tls: { key, certificates, trusted, clientAuth, keyPassword, versions } };
}

/** Where clients authenticate by SASL, only the listener's own word counts, as in Kafka. */
function clientAuthOf(values: ListenerValues, hasSasl: boolean): TlsSettings["clientAuth"] {
  const text = hasSasl ? (values.own("ssl.client.auth") ?? "none") : values.text("ssl.client.auth");
  return text === "required" || text === "requested" ? text : "none";
}

function pem(values: ListenerValues, inline: string, location: string): PemSource | undefined {
  const text = values.optional(inline);
  if (text !== undefined) return { from: "text", text: text.replaceAll("\\n", "\n") };
  const path = values.optional(location);
  return path === undefined ? undefined : { from: "file", path };
}

/** Of a list, as `parseConfig` takes it apart. */
function entriesOf(list: string): readonly string[] {
  return list.split(",").map((entry) => entry.trim());
}
