import type { ClusterRecord } from "../clusters/cluster-record.ts";
import type { ConnectionFacts } from "../ports/cluster-access.ts";

/** How clients reach a cluster that the control plane made: SASL_SSL, with its own authority. */
export function provisionedConnection({ addresses, certificate }: ClusterRecord): ConnectionFacts {
  return {
    bootstrapServers: addresses.map(({ host, port }) => `${host}:${port}`),
    securityProtocol: "SASL_SSL",
    saslMechanisms: ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"],
    ...(certificate === undefined ? {} : { caCertificate: certificate.caCertificate }),
  };
}
