/**
 * `ClusterAccess` over Kafka's protocol and the clusters' own stores: what a deployment with many
 * clusters uses, and a broker's own process for itself.
 *
 * A client of each cluster is kept, as many as `openClustersMax`, the longest unused one closed first.
 */
import type { MetadataStore } from "@millrace/core";
import { type ConnectOptions, connect, type MillraceClient } from "../../../sdk/src/index.ts";
import type { ClusterRecord } from "../clusters/cluster-record.ts";
import { openClustersMax } from "../limits.ts";
import type { ClusterAccess, ConnectionFacts } from "../ports/cluster-access.ts";
import { type ClusterAdmin, ClusterUnavailableError } from "../ports/cluster-admin.ts";
import type { ControlLoginDependencies } from "./control-login.ts";
import { ControlLogins } from "./control-logins.ts";
import { sdkClusterAdmin } from "./sdk-cluster-admin.ts";

export interface KafkaAccessDependencies extends ControlLoginDependencies {
  readonly metadata: ClusterAccess["metadata"];
  readonly connection: ClusterAccess["connection"];
  /** Absent: brokers follow by themselves. */
  readonly usersChanged?: ClusterAccess["usersChanged"];
  /** How this process reaches the brokers, where it is not as clients do. */
  readonly reach?: (cluster: ClusterRecord) => Reach;
}

export interface Reach {
  readonly brokers: readonly string[];
  readonly tls: NonNullable<ConnectOptions["tls"]>;
}

interface OpenCluster {
  /** Another one asks for another client. */
  readonly way: string;
  readonly client: MillraceClient;
  readonly admin: ClusterAdmin;
}

export class KafkaAccess implements ClusterAccess {
  readonly #deps: KafkaAccessDependencies;
  readonly #logins: ControlLogins;
  /** The longest unused first. */
  readonly #open = new Map<string, OpenCluster>();

  constructor(deps: KafkaAccessDependencies) {
    this.#deps = deps;
    this.#logins = new ControlLogins(deps);
  }

  async admin(cluster: ClusterRecord): Promise<ClusterAdmin> {
    const facts = this.connection(cluster);
    const { brokers, tls } = this.#deps.reach?.(cluster) ?? usualReach(facts);
    if (brokers.length === 0) throw new ClusterUnavailableError("the cluster has no broker");
    const sasl = await this.#saslFor(cluster, facts);
    const way = JSON.stringify([brokers, sasl?.username]);
    const known = this.#open.get(cluster.id);
    this.#open.delete(cluster.id);
    if (known?.way === way) {
      this.#open.set(cluster.id, known);
      return known.admin;
    }
    if (known !== undefined) end(known);
    const options = { brokers, tls, clientId: "millrace-control" };
    const client = connect(sasl === undefined ? options : { ...options, sasl });
    const admin = sdkClusterAdmin(client.admin, () => this.#logins.forget(cluster.id));
    this.#open.set(cluster.id, { way, client, admin });
    this.#closeOldest();
    return admin;
  }

  metadata(cluster: ClusterRecord): Promise<MetadataStore> {
    return this.#deps.metadata(cluster);
  }

  async usersChanged(cluster: ClusterRecord, keys: readonly string[]): Promise<void> {
    await this.#deps.usersChanged?.(cluster, keys);
  }

  connection(cluster: ClusterRecord): ConnectionFacts {
    return this.#deps.connection(cluster);
  }

  async close(): Promise<void> {
    const clients = [...this.#open.values()].map(({ client }) => client.close());
    this.#open.clear();
    await Promise.all(clients);
  }

  async #saslFor(
    cluster: ClusterRecord,
    { saslMechanisms }: ConnectionFacts,
  ): Promise<(ConnectOptions["sasl"] & { readonly username: string }) | undefined> {
    const [first] = saslMechanisms;
    if (first === undefined) return undefined;
    const mechanism = scrams.find((name) => saslMechanisms.includes(name)) ?? "PLAIN";
    const login = this.#logins.of(cluster.id);
    const store = await this.metadata(cluster);
    const { password, username } = await login.current(store, (keys) =>
      this.usersChanged(cluster, keys),
    );
    return { mechanism, username, password };
  }

  #closeOldest(): void {
    for (const [id, open] of this.#open) {
      if (this.#open.size <= openClustersMax) return;
      this.#open.delete(id);
      end(open);
    }
  }
}

const scrams = ["SCRAM-SHA-512", "SCRAM-SHA-256"] as const;

/** Its calls reject; what it can't close ends with its connections. */
function end({ client }: OpenCluster): void {
  client.close().catch(() => undefined);
}

function usualReach({ bootstrapServers, caCertificate, securityProtocol }: ConnectionFacts): Reach {
  if (!securityProtocol.endsWith("SSL")) return { brokers: bootstrapServers, tls: false };
  const tls = caCertificate === undefined ? true : { ca: caCertificate };
  return { brokers: bootstrapServers, tls };
}
