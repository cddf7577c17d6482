/**
 * The control plane's API over the broker's own process: one cluster, the one that it belongs to. It
 * is loaded by the first request for it, because no broker that nobody asks needs it.
 */
import { X509Certificate } from "node:crypto";
import { totalmem } from "node:os";
import type { TlsOptions } from "node:tls";
import { ApiKeys, type ConnectionFacts, controlApp, RequestRates } from "@millrace/control-api";
import { KafkaAccess } from "@millrace/control-api/kafka";
import type { ListenerSecurity } from "@millrace/core";
import type { Broker } from "../../broker.ts";
import type { Configuration, Ports } from "../../open-broker.ts";
import type { Listener } from "../../server/listener.ts";
import type { ControlFetch } from "../app.ts";
import { PasswordChecks } from "../../server/sasl/password-checks.ts";
import { noOperations, ownClusterCatalogue, readOwnCluster } from "./own-cluster.ts";
import { whoAsks } from "./who-asks.ts";

const mebibyte = 2 ** 20;

export interface OwnControlOptions {
  readonly ports: Pick<Ports, "clock" | "random" | "hashing" | "store">;
  readonly configuration: Configuration;
  /** Of the life that the process is in. */
  readonly life: () => {
    readonly broker: Broker;
    readonly listeners: readonly Listener[];
  };
  readonly tls: ReadonlyMap<string, TlsOptions>;
  readonly failed: (error: Error, requestId: string) => void;
}

export function openOwnControl(options: OwnControlOptions): ControlFetch {
  const { configuration, failed, life, ports, tls } = options;
  const { settings } = configuration;
  const passwords = new PasswordChecks(ports);
  const apiKeys = new ApiKeys(ports);
  const read = () =>
    readOwnCluster({
      ...{
        store: ports.store,
        hashing: ports.hashing,
        memoryMiB: Math.floor(totalmem() / mebibyte),
      },
      ...{ configs: configuration.known, wallMs: () => ports.clock.wallMs() },
      broker: () => life().broker,
      listener: () => firstOf(life().listeners).advertised,
    });
  const connection = () => connectionFacts(settings.security, tls, life().listeners);
  const access = new KafkaAccess({
    ...ports,
    connection,
    metadata: () => Promise.resolve(ports.store),
    usersChanged: async (_, keys) => {
      const { users } = life().broker.cluster;
      for (const key of keys) await users.follow(key);
    },
    reach: () => ownReach(tls, life().listeners),
  });
  const app = controlApp({
    ...ports,
    clusters: ownClusterCatalogue(read),
    operations: noOperations,
    access,
    provisioning: "none",
    requestRates: new RequestRates(ports),
    principalOf: whoAsks({
      apiKeys,
      hasLogins: settings.security.some(
        ({ sasl, tls }) => sasl !== undefined || tls?.clientAuth === "required",
      ),
      adminUser: settings.admin?.user,
      findUser: (name) => life().broker.cluster.users.find(name),
      checkPassword: (user, { name, password }) =>
        passwords.verify(name, password, user?.credentials.get("SCRAM-SHA-512")),
      failureDelay: () => {
        const { connectionFailedAuthenticationDelayMs: delayMs } = life().broker.settings;
        return new Promise((resolve) => ports.clock.after(delayMs, resolve));
      },
      ownHosts: life().listeners.map(({ advertised }) => advertised.host),
    }),
    failed,
  });
  return (request, environment) => app.fetch(request, environment);
}

/** The one that clients are meant to use. */
function firstOf(listeners: readonly Listener[]): Listener {
  const [listener] = listeners;
  if (listener === undefined) throw new Error("a broker has a listener");
  return listener;
}

function connectionFacts(
  security: readonly ListenerSecurity[],
  tls: ReadonlyMap<string, TlsOptions>,
  listeners: readonly Listener[],
): ConnectionFacts {
  const { host, name, port } = firstOf(listeners).advertised;
  const own = security.find((candidate) => candidate.name === name);
  const authority = authorityOf(tls.get(name));
  return {
    bootstrapServers: [`${host}:${port}`],
    securityProtocol: own?.protocol ?? "PLAINTEXT",
    saslMechanisms: own?.sasl?.mechanisms ?? [],
    ...(authority === undefined ? {} : { caCertificate: authority }),
  };
}

/** Over its own listener. Its certificate need not be of the address by which it finds itself. */
function ownReach(
  tls: ReadonlyMap<string, TlsOptions>,
  listeners: readonly Listener[],
): ReturnType<NonNullable<ConstructorParameters<typeof KafkaAccess>[0]["reach"]>> {
  const { host, name, port } = firstOf(listeners).advertised;
  const own = tls.get(name);
  if (own === undefined) return { brokers: [`${host}:${port}`], tls: false };
  const trusted = pemsOf(own);
  return {
    brokers: [`${host}:${port}`],
    tls: { ca: [...trusted], checkServerIdentity: () => undefined },
  };
}

/** The last certificate that the broker shows, where that is its own authority. */
function authorityOf(tls: TlsOptions | undefined): string | undefined {
  const last = tls === undefined ? undefined : pemsOf(tls).at(-1);
  if (last === undefined) return undefined;
  const certificate = new X509Certificate(last);
  return certificate.checkIssued(certificate) ? last : undefined;
}

function pemsOf({ cert }: TlsOptions): readonly string[] {
  const text = [cert ?? []].flat().map(String).join("\n");
  return text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/gu) ?? [];
}
