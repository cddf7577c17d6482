import type { BrokerDriver, Clock, ClusterId, SecretName } from "@millrace/core";
import {
  type KeyAndCertificates,
  makeAuthority,
  makeBrokerCertificate,
  readCertificate,
} from "../certificates/certificates.ts";
import type { CertificateFacts } from "../clusters/cluster-record.ts";

/**
 * Sees to it that the cluster has an authority, and its brokers a certificate of it, and says what is
 * then kept. Of two at once the first one's stays, unless it is renewed: then both serve.
 * Throws DriverError.
 */
export async function certify(
  { clock, driver }: { readonly clock: Clock; readonly driver: BrokerDriver },
  of: { readonly cluster: ClusterId; readonly revision: number; readonly renews: boolean },
): Promise<CertificateFacts> {
  const { cluster, renews, revision } = of;
  const commonName = cluster;
  const authority = await kept(driver, cluster, {
    ...{ name: "authority", over: "nothing" },
    make: () => makeAuthority(clock, { commonName: `${cluster} authority` }),
  });
  const names = driver.certificateNames(cluster);
  const broker = await kept(driver, cluster, {
    ...{ name: "broker", over: renews ? "former" : "nothing" },
    make: () => makeBrokerCertificate(clock, { commonName, names, authority }),
  });
  return { ...(await readCertificate(broker)), revision };
}

async function kept(
  driver: BrokerDriver,
  cluster: ClusterId,
  secret: {
    readonly name: SecretName;
    readonly over: "nothing" | "former";
    readonly make: () => Promise<KeyAndCertificates>;
  },
): Promise<KeyAndCertificates> {
  const { make, name, over } = secret;
  for (;;) {
    const found = over === "former" ? undefined : await driver.readSecret(cluster, name);
    if (found !== undefined) return found as KeyAndCertificates;
    const value = await make();
    if ((await driver.putSecret(cluster, { name, value, over })) === "kept") return value;
  }
}
