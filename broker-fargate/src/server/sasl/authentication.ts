import {
  base64Text,
  type Clock,
  credentialMechanism,
  type Hashing,
  type Random,
  type SaslMechanism,
  type SaslSettings,
  type Settings,
} from "@millrace/core";
import type { GoneCredential, Users } from "../../cluster/users.ts";
import type { Metrics } from "../../metrics/registry.ts";
import type { Counter } from "../../metrics/series.ts";
import type { PasswordChecks } from "./password-checks.ts";
import { type Login, restsOn, SaslSession } from "./sasl-session.ts";

export interface AuthenticationDeps {
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly random: Random;
  readonly users: Users;
  readonly metrics: Metrics;
  /** Of all listeners together. */
  readonly passwords: PasswordChecks;
  readonly settings: Pick<
    Settings,
    "saslServerMaxReceiveSize" | "connectionFailedAuthenticationDelayMs"
  >;
}

const nonceBytes = 24;

/**
 * How the clients of one listener authenticate, and who of them is logged in by what: when a
 * credential is deleted, their connections end in the same turn of the event loop.
 */
export class Authentication {
  readonly settings: SaslSettings;
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly users: Users;
  readonly passwords: PasswordChecks;
  readonly #deps: AuthenticationDeps;
  readonly #sessions = new Map<string, Set<SaslSession>>();

  constructor(deps: AuthenticationDeps, settings: SaslSettings) {
    this.settings = settings;
    this.clock = deps.clock;
    this.hashing = deps.hashing;
    this.users = deps.users;
    this.passwords = deps.passwords;
    this.#deps = deps;
    deps.users.onGone((gone) => this.#revoke(gone));
  }

  /** For one connection. */
  open(): SaslSession {
    return new SaslSession(this);
  }

  get receiveBytesMax(): number {
    return this.#deps.settings.saslServerMaxReceiveSize;
  }

  /** Printable, without commas, and never the same. */
  nonce(): string {
    return base64Text(this.#deps.random.bytes(nonceBytes));
  }

  failureDelay(): Promise<void> {
    const { connectionFailedAuthenticationDelayMs: delayMs } = this.#deps.settings;
    return new Promise((resolve) => this.clock.after(delayMs, resolve));
  }

  /** Whether the credential of a login is still there. */
  holds({ mechanism, stamp, user }: Omit<Login, "expiresMs">): boolean {
    if (stamp === undefined) return true;
    const credentials = this.users.find(user)?.credentials;
    return credentials?.get(credentialMechanism(mechanism))?.stamp === stamp;
  }

  remember(session: SaslSession): void {
    const { login } = session;
    if (login === undefined) return;
    const others = this.#sessions.get(login.user);
    if (others === undefined) this.#sessions.set(login.user, new Set([session]));
    else others.add(session);
    this.count(login.mechanism, "succeeded");
  }

  forget(session: SaslSession): void {
    const user = session.login?.user;
    if (user === undefined) return;
    const sessions = this.#sessions.get(user);
    sessions?.delete(session);
    if (sessions?.size === 0) this.#sessions.delete(user);
  }

  count(mechanism: SaslMechanism | "other", outcome: "succeeded" | "failed"): void {
    this.#counter(mechanism, outcome).add();
  }

  #counter(mechanism: string, outcome: string): Counter {
    const help = "Authentications of connections, by SASL mechanism and outcome.";
    const labels = { mechanism, outcome };
    return this.#deps.metrics.counter("millrace_authentications_total", help, labels);
  }

  #revoke({ mechanism, user }: GoneCredential): void {
    for (const session of [...(this.#sessions.get(user) ?? [])]) {
      const { login } = session;
      if (login !== undefined && restsOn(login) === mechanism) session.revoked();
    }
  }
}
