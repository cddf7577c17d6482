/**
 * What runs the brokers of Millrace clusters and keeps what they need: child processes of one
 * machine, or AWS (ECS, Cloud Map, SSM, DynamoDB).
 *
 * Every verb may be repeated, called by two at once, and cut off at any moment: it brings about the
 * state that it names, and does nothing where that state is there. None waits for what takes long: a
 * table, a broker's start and its end go on after the call, and `observe` shows how far they are.
 *
 * Not promised: that a call whose reply was lost had no effect (a DriverError says `applied`); that
 * `observe` and `list` show what a call of another process did a moment ago; that a broker which
 * runs can be reached by clients from where the driver runs; that two brokers start in any order.
 * Promised: one owner for each broker of a cluster (never two processes of one node.id at once,
 * unless the machine of one is cut off); a removed broker was told by SIGTERM and had its time to
 * hand over; what was made for a cluster is listed until it is removed, whoever made it.
 */
export interface BrokerDriver {
  /** What a certificate of the cluster's brokers must be valid for. Asks nobody. */
  certificateNames(cluster: ClusterId): CertificateNames;
  /** Begins to make the place of the cluster's metadata, or serves again what is there. */
  ensureStore(cluster: ClusterId): Promise<void>;
  /** Keeps a secret of at most `secretBytesMax`. `exists`: there is one, and it stayed. */
  putSecret(cluster: ClusterId, secret: Secret): Promise<"kept" | "exists">;
  readSecret(cluster: ClusterId, name: SecretName): Promise<string | undefined>;
  /** A place where clients find the broker, which stays the same for as long as the name is there. */
  ensureName(cluster: ClusterId, broker: number): Promise<void>;
  /**
   * Starts the broker, or brings the one that is there to this revision, which ends it in order and
   * starts it anew. One that runs at this revision goes on; one that ended is started again.
   */
  ensureBroker(cluster: ClusterId, broker: BrokerSpec): Promise<void>;
  /** Begins to remove it; a broker ends in order. No effect on what is not there. */
  remove(cluster: ClusterId, part: ClusterPart): Promise<void>;
  observe(cluster: ClusterId): Promise<ObservedCluster>;
  /** Everything there is, of all clusters, also of those that nobody remembers. */
  list(): Promise<readonly DriverResource[]>;
}

/** A Millrace cluster's id: `cl_` and 16 characters of Crockford's base32, in lower case. */
export type ClusterId = string & { readonly __clusterId: "ClusterId" };

const clusterIdPattern = /^cl_[0-9a-hjkmnp-tv-z]{16}$/;

/** Undefined: the text is no cluster's id. */
export function asClusterId(text: string): ClusterId | undefined {
  return clusterIdPattern.test(text) ? (text as ClusterId) : undefined;
}

/** Throws RangeError. */
export function clusterId(text: string): ClusterId {
  const id = asClusterId(text);
  if (id === undefined) throw new RangeError(`not a cluster's id: ${text}`);
  return id;
}

export interface CertificateNames {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/** `authority`: the cluster's own CA with its key, which no broker sees. `broker`: what they show. */
export type SecretName = "authority" | "broker";

export interface Secret {
  readonly name: SecretName;
  /** PEM: private key, then certificates, the leaf first. */
  readonly value: string;
  /** Whether it may take the place of one that is there. */
  readonly over: "nothing" | "former";
}

/** Of SSM's standard parameters. */
export const secretBytesMax = 4_096;
/** Brokers of one cluster: as many as its certificate can name within that. */
export const clusterBrokersMax = 16;

export interface BrokerSpec {
  /** Its node.id: 1 … number of brokers. */
  readonly broker: number;
  /** 1,024 are one vCPU. */
  readonly cpu: number;
  readonly memoryMiB: number;
  /** Kafka's names and values, beside those that the driver sets. */
  readonly configs: Readonly<Record<string, string>>;
  /** Another number says that anything of it changed: size, configs or certificate. */
  readonly revision: number;
}

export type ClusterPart =
  | { readonly kind: "broker"; readonly broker: number }
  | { readonly kind: "name"; readonly broker: number }
  | { readonly kind: "secret"; readonly name: SecretName }
  /** With all items. The cluster's objects are not the driver's. */
  | { readonly kind: "store" };

export interface ObservedCluster {
  /** `stopped`: it is there, and not as it is to be (nobody serves it, say), until `ensureStore`. */
  readonly store: "absent" | "creating" | "ready" | "stopped" | "removing";
  readonly secrets: readonly SecretName[];
  /** By broker, ascending. */
  readonly names: readonly BrokerAddress[];
  /** By broker, ascending; those that are gone for good are not in it. */
  readonly brokers: readonly ObservedBroker[];
}

/** Where clients connect. */
export interface BrokerAddress {
  readonly broker: number;
  readonly host: string;
  readonly port: number;
}

export interface ObservedBroker {
  readonly broker: number;
  /** Of what runs, or is being brought about. */
  readonly revision: number;
  /**
   * `ready`: it runs at that revision, its `/readyz` says so, and nothing of a former one is left. `failed`: it
   * does not run, and nobody starts it again by itself. `stopping`: it is being removed.
   */
  readonly state: "starting" | "ready" | "failed" | "stopping";
  /** Why, for the operator: the end of its log, or what AWS says of its tasks. */
  readonly detail?: string;
}

/**
 * `super.users` of a cluster's brokers: nobody's name. Its credentials are made by the control plane,
 * which writes them into the store; a client that could change them would outlive its own.
 */
export const noSuperUser = "User:";

export interface DriverResource {
  readonly cluster: ClusterId;
  /** In the words of what is behind: `process`, `ecs service`, `dynamodb table` … */
  readonly kind: string;
  /** By which its owner finds it: a pid file's path, an ARN … */
  readonly name: string;
}

/** An operational failure of the driver: retry within bounds, with jitter, if `retriable`. */
export class DriverError extends Error {
  override readonly name = "DriverError";
  readonly retriable: boolean;
  /** Whether the failed call may have had its effect. */
  readonly applied: "no" | "maybe";

  constructor(
    message: string,
    details: {
      readonly retriable: boolean;
      readonly applied: "no" | "maybe";
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: details.cause });
    this.retriable = details.retriable;
    this.applied = details.applied;
  }
}
