import type { TlsOptions } from "node:tls";
import type { Broker } from "../../broker.ts";
import { Authentication } from "./authentication.ts";
import { PasswordChecks } from "./password-checks.ts";
import type { SaslSession } from "./sasl-session.ts";

/** What a listener does with a connection before it serves it. */
export interface ListenerAccess {
  /** Absent: bytes go as they are. */
  readonly tls?: TlsOptions;
  /** Absent: clients do not authenticate by SASL. */
  readonly openSasl?: () => SaslSession;
}

/** How each listener of the broker lets clients in, by its name. */
export function listenerAccess(
  broker: Pick<Broker, "clock" | "hashing" | "metrics" | "random" | "settings"> & {
    readonly cluster: Pick<Broker["cluster"], "users">;
  },
  tls: ReadonlyMap<string, TlsOptions>,
): ReadonlyMap<string, ListenerAccess> {
  const { clock, cluster, hashing, metrics, random, settings } = broker;
  const { users } = cluster;
  const passwords = new PasswordChecks({ clock, hashing, random });
  const byName = new Map<string, ListenerAccess>();
  for (const { name, sasl } of settings.security) {
    const options = tls.get(name);
    const deps = { clock, hashing, metrics, passwords, random, settings, users };
    const authentication = sasl === undefined ? undefined : new Authentication(deps, sasl);
    byName.set(name, {
      ...(options === undefined ? {} : { tls: options }),
      ...(authentication === undefined ? {} : { openSasl: () => authentication.open() }),
    });
  }
  return byName;
}
