import { X509Certificate } from "node:crypto";
import { expect, it } from "vitest";
import { authorityMs, certificateMs } from "../clusters/limits.ts";
import { EagerClock } from "../operations/fixtures.ts";
import { makeAuthority, makeBrokerCertificate, readCertificate } from "./certificates.ts";

const clock = new EagerClock();
const dayMs = 86_400_000;

async function made(names = { dnsNames: ["b-1.cl-x.test"], ipAddresses: ["127.0.0.1"] }) {
  const authority = await makeAuthority(clock, { commonName: "cl_x authority" });
  const broker = await makeBrokerCertificate(clock, { commonName: "cl_x", names, authority });
  return { authority, broker };
}

/** The first certificate of a PEM text, as Node reads it. */
function parsed(pem: string): X509Certificate {
  return new X509Certificate(pem.slice(pem.indexOf("-----BEGIN CERTIFICATE")));
}

it("an authority vouches for a broker's names, and no broker for another", async () => {
  const { authority, broker } = await made();
  const [ca, leaf] = [parsed(authority), parsed(broker)];
  expect(ca.ca).toBe(true);
  expect(leaf.ca).toBe(false);
  expect(leaf.verify(ca.publicKey)).toBe(true);
  expect(leaf.checkIssued(ca)).toBe(true);
  expect(leaf.checkHost("b-1.cl-x.test")).toBe("b-1.cl-x.test");
  expect(leaf.checkHost("b-2.cl-x.test")).toBeUndefined();
  expect(leaf.checkIP("127.0.0.1")).toBe("127.0.0.1");
  expect(parsed((await made()).broker).verify(ca.publicKey)).toBe(false);
});

it("a broker shows its authority's certificate behind its own, with a key of its own", async () => {
  const { authority, broker } = await made();
  const { caCertificate } = await readCertificate(broker);
  expect(parsed(caCertificate).fingerprint256).toBe(parsed(authority).fingerprint256);
  expect(broker.match(/BEGIN PRIVATE KEY/gu)).toHaveLength(1);
  expect(broker.slice(0, 200)).not.toBe(authority.slice(0, 200));
  expect(caCertificate).not.toContain("PRIVATE KEY");
});

it("certificates are valid for as long as clients and the rules of browsers allow", async () => {
  const { authority, broker } = await made();
  const nowMs = clock.wallMs();
  const leaf = parsed(broker);
  expect(Date.parse(leaf.validFrom)).toBeLessThan(nowMs);
  expect(Math.abs(Date.parse(leaf.validTo) - nowMs - certificateMs)).toBeLessThan(dayMs);
  expect((await readCertificate(broker)).notAfterMs).toBe(Date.parse(leaf.validTo));
  const ca = parsed(authority);
  expect(Math.abs(Date.parse(ca.validTo) - nowMs - authorityMs)).toBeLessThan(dayMs);
});

it("says which hosts it is valid for", async () => {
  const { broker } = await made();
  expect((await readCertificate(broker)).names).toEqual(["b-1.cl-x.test", "127.0.0.1"]);
});

it("a text that has no certificate is a bug of the caller", async () => {
  await expect(readCertificate("nothing")).rejects.toThrow(TypeError);
});
