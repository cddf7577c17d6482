/** What brokers that are processes of this machine are told, in the names of their configuration. */

import { noSuperUser } from "@millrace/core";

export type BrokerSettings = Readonly<Record<string, string>>;

export interface StorePlace {
  readonly uri: string;
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
}

/** Where the brokers of a cluster keep what they share. */
export function storeSettings(places: {
  readonly metadata: StorePlace;
  readonly objects: StorePlace;
}): BrokerSettings {
  return { ...metadataSettings(places.metadata), ...objectSettings(places.objects) };
}

export function metadataSettings({ endpoint, region, uri }: StorePlace): BrokerSettings {
  const key = "millrace.metadata.store";
  return {
    [key]: uri,
    ...(endpoint === undefined ? {} : { [`${key}.endpoint`]: endpoint }),
    ...(region === undefined ? {} : { [`${key}.region`]: region }),
  };
}

export function objectSettings({ endpoint, region, uri }: StorePlace): BrokerSettings {
  const key = "millrace.object.store";
  // What stands in for S3 is seldom reached by a bucket's own host name.
  const stoodIn = { [`${key}.endpoint`]: endpoint ?? "", [`${key}.path.style`]: "true" };
  return {
    [key]: uri,
    ...(endpoint === undefined ? {} : stoodIn),
    ...(region === undefined ? {} : { [`${key}.region`]: region }),
  };
}

/** The one listener of a broker on this machine: encrypted, and for who logs in. */
export function listenerSettings(of: {
  readonly port: number;
  readonly httpPort: number;
  readonly pem: string;
}): BrokerSettings {
  return {
    listeners: `SASL_SSL://127.0.0.1:${of.port}`,
    "advertised.listeners": `SASL_SSL://${brokerHost}:${of.port}`,
    "sasl.enabled.mechanisms": "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN",
    "super.users": noSuperUser,
    "ssl.keystore.location": of.pem,
    "millrace.http.port": String(of.httpPort),
  };
}

/** A name, because some clients check a certificate's names only. */
export const brokerHost = "localhost";

/** As a `server.properties`. */
export function propertiesText(settings: BrokerSettings): string {
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${escaped(value)}`);
  return `${lines.join("\n")}\n`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
}
