/**
 * Certificates of a cluster's brokers: X.509 v3 (RFC 5280), ECDSA on P-256, by WebCrypto. Each
 * cluster has an authority of its own, which clients are given to trust; it vouches for one
 * certificate that all its brokers show. The library is loaded by the first use.
 */
import type { CertificateNames, Clock } from "@millrace/core";
import type * as X509Library from "@peculiar/x509";
import { authorityMs, certificateMs } from "../clusters/limits.ts";

/** A private key (PKCS 8) and its certificates, the leaf first, as one PEM text. */
export type KeyAndCertificates = string & { readonly __pem: "KeyAndCertificates" };

export interface CertificateText {
  readonly caCertificate: string;
  readonly notAfterMs: number;
  /** Hosts that it is valid for: DNS names and addresses. */
  readonly names: readonly string[];
}

type X509 = typeof X509Library;
type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
/** A clock of a client may be behind. */
const backdatedMs = 3_600_000;

/** A CA that may sign certificates of brokers only. */
export async function makeAuthority(
  clock: Clock,
  { commonName }: { readonly commonName: string },
): Promise<KeyAndCertificates> {
  const x509 = await load();
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...{ name: nameOf(commonName), keys, signingAlgorithm: algorithm },
    ...validFor(clock, authorityMs),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return keyAndCertificates(x509, keys.privateKey, [certificate.toString("pem")]);
}

/** A certificate for these names, with the authority's behind it. */
export async function makeBrokerCertificate(
  clock: Clock,
  of: {
    readonly commonName: string;
    readonly names: CertificateNames;
    readonly authority: KeyAndCertificates;
  },
): Promise<KeyAndCertificates> {
  const x509 = await load();
  const keys = await generateKeys();
  const issuer = certificateIn(x509, of.authority);
  const signingKey = await privateKeyIn(x509, of.authority);
  const names = [
    ...of.names.dnsNames.map((value) => ({ type: "dns", value }) as const),
    ...of.names.ipAddresses.map((value) => ({ type: "ip", value }) as const),
  ];
  const certificate = await x509.X509CertificateGenerator.create({
    ...{ subject: nameOf(of.commonName), issuer: issuer.subject, publicKey: keys.publicKey },
    ...{ signingKey, signingAlgorithm: algorithm },
    ...validFor(clock, certificateMs),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  const chain = [certificate.toString("pem"), issuer.toString("pem")];
  return keyAndCertificates(x509, keys.privateKey, chain);
}

/** What clients are to know of a broker's certificate. */
export async function readCertificate(broker: string): Promise<CertificateText> {
  const x509 = await load();
  const certificates = certificatesIn(x509, broker);
  const [leaf, authority] = certificates;
  if (leaf === undefined || authority === undefined) {
    throw new TypeError("a broker's PEM has its certificate and its authority's");
  }
  const alternatives = leaf.getExtension(x509.SubjectAlternativeNameExtension);
  return {
    caCertificate: `${authority.toString("pem")}\n`,
    notAfterMs: leaf.notAfter.getTime(),
    names: alternatives?.names.items.map(({ value }) => value) ?? [],
  };
}

async function load(): Promise<X509> {
  // What it declares its classes with wants this first.
  await import("reflect-metadata");
  return import("@peculiar/x509");
}

function generateKeys(): Promise<{ readonly privateKey: Key; readonly publicKey: Key }> {
  return crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

function nameOf(commonName: string): string {
  return `O=Millrace, CN=${commonName}`;
}

function validFor(clock: Clock, ms: number): { readonly notBefore: Date; readonly notAfter: Date } {
  const nowMs = clock.wallMs();
  return { notBefore: new Date(nowMs - backdatedMs), notAfter: new Date(nowMs + ms) };
}

async function keyAndCertificates(
  x509: X509,
  key: Key,
  certificates: readonly string[],
): Promise<KeyAndCertificates> {
  const bytes = await crypto.subtle.exportKey("pkcs8", key);
  const pem = x509.PemConverter.encode(bytes, "PRIVATE KEY");
  return `${[pem, ...certificates].join("\n")}\n` as KeyAndCertificates;
}

function certificatesIn(x509: X509, text: string) {
  return x509.PemConverter.decodeWithHeaders(text)
    .filter(({ type }) => type === "CERTIFICATE")
    .map(({ rawData }) => new x509.X509Certificate(rawData));
}

function certificateIn(x509: X509, text: string) {
  const [certificate] = certificatesIn(x509, text);
  if (certificate === undefined) throw new TypeError("a PEM text has no certificate");
  return certificate;
}

function privateKeyIn(x509: X509, text: string): Promise<Key> {
  const found = x509.PemConverter.decodeWithHeaders(text).find(
    ({ type }) => type === "PRIVATE KEY",
  );
  if (found === undefined) throw new TypeError("a PEM text has no private key");
  return crypto.subtle.importKey("pkcs8", found.rawData, algorithm, false, ["sign"]);
}
