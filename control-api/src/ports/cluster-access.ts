import type { MetadataStore } from "@millrace/core";
import type { ClusterRecord } from "../clusters/cluster-record.ts";
import type { ClusterAdmin } from "./cluster-admin.ts";

/**
 * How the API reaches what a cluster consists of.
 *
 * Not promised: that the cluster is there, or answers.
 */
export interface ClusterAccess {
  /** Speaks to its brokers. Rejects with ClusterUnavailableError. */
  admin(cluster: ClusterRecord): Promise<ClusterAdmin>;
  /** Its own metadata store, for its users; whoever gives it closes it. Throws MetadataError. */
  metadata(cluster: ClusterRecord): Promise<MetadataStore>;
  /**
   * After a write of these keys of users: resolves when the brokers that can be told have followed.
   * Those that poll follow by themselves.
   */
  usersChanged(cluster: ClusterRecord, keys: readonly string[]): Promise<void>;
  /** How its clients connect. Asks nobody. */
  connection(cluster: ClusterRecord): ConnectionFacts;
}

export interface ConnectionFacts {
  /** `host:port`; none until there is a broker. */
  readonly bootstrapServers: readonly string[];
  readonly securityProtocol: "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL";
  /** None without a login. */
  readonly saslMechanisms: readonly string[];
  /** PEM, where its certificate is not vouched for by a public authority. */
  readonly caCertificate?: string;
}
