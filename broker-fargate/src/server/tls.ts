/** TLS of listeners, by Node's own: keys and certificates from PEM, and who a certificate is of. */
import type { createSecureContext, SecureContextOptions, TLSSocket, TlsOptions } from "node:tls";
import type { ListenerSecurity, PemSource, TlsSettings } from "@millrace/core";
import { tlsHandshakeMsMax } from "./sasl/limits.ts";
import { TlsFault } from "./tls-fault.ts";

export type ReadFile = (path: string) => Uint8Array;

export interface ReadingTls {
  readonly readFile: ReadFile;
  /** Node's, which is loaded only where a listener encrypts. */
  readonly createSecureContext: typeof createSecureContext;
}

/** By listener; listeners without TLS have none. Throws TlsFault. */
export function readTls(
  security: readonly ListenerSecurity[],
  by: ReadingTls,
): ReadonlyMap<string, TlsOptions> {
  const byName = new Map<string, TlsOptions>();
  for (const { name, tls } of security) {
    if (tls === undefined) continue;
    try {
      byName.set(name, tlsOptions(tls, by));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new TlsFault(`TLS of listener ${name}: ${why}`, { cause: error });
    }
  }
  return byName;
}

function tlsOptions(
  settings: TlsSettings,
  { createSecureContext, readFile }: ReadingTls,
): TlsOptions {
  const { certificates, clientAuth, key, keyPassword, trusted, versions } = settings;
  const isOld = versions.includes("TLSv1.2");
  const isNew = versions.includes("TLSv1.3");
  const context: SecureContextOptions = {
    key: blocks(textOf(key, readFile), /(?:[A-Z]+ )?PRIVATE KEY/u, key),
    cert: blocks(textOf(certificates, readFile), /CERTIFICATE/u, certificates),
    ...(trusted === undefined
      ? {}
      : { ca: blocks(textOf(trusted, readFile), /CERTIFICATE/u, trusted) }),
    ...(keyPassword === undefined ? {} : { passphrase: keyPassword }),
    minVersion: isOld ? "TLSv1.2" : "TLSv1.3",
    maxVersion: isNew ? "TLSv1.3" : "TLSv1.2",
  };
  // For what it throws: a server would say it only at its first client.
  createSecureContext(context);
  return {
    ...context,
    requestCert: clientAuth !== "none",
    rejectUnauthorized: clientAuth === "required",
    handshakeTimeout: tlsHandshakeMsMax,
    allowHalfOpen: true,
  };
}

function textOf(source: PemSource, readFile: ReadFile): string {
  if (source.from === "text") return source.text;
  try {
    return new TextDecoder().decode(readFile(source.path));
  } catch (error) {
    throw new TlsFault(`${source.path} can't be read`, { cause: error });
  }
}

/** The blocks of a PEM text that have this label, in their order. */
function blocks(text: string, label: RegExp, source: PemSource): string {
  const found = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/gu)]
    .filter(([, name = ""]) => new RegExp(`^${label.source}$`, "u").test(name))
    .map(([block]) => block);
  if (found.length > 0) return `${found.join("\n")}\n`;
  const where = source.from === "file" ? source.path : "what is configured";
  const what = label.source.includes("KEY") ? "private key" : "certificate";
  throw new TlsFault(`${where} has no ${what} in PEM (JKS and PKCS12 are not read)`);
}

/** What a client's certificate says. `untrusted`: it showed one that nobody vouches for. */
export type Certified =
  | { readonly kind: "principal"; readonly principal: string }
  | { readonly kind: "none" | "untrusted" };

/** Principals are in Kafka's form. */
export function certified(socket: TLSSocket): Certified {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { kind: "none" };
  if (!socket.authorized) return { kind: "untrusted" };
  // Node writes a line for each part, the widest first; RFC 2253 begins with the narrowest.
  const parts = certificate.subject.split("\n").filter((line) => line !== "");
  return { kind: "principal", principal: `User:${parts.toReversed().join(",")}` };
}
