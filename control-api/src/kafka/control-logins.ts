import type { ClusterId } from "@millrace/core";
import { keptLoginsMax } from "../limits.ts";
import { ControlLogin, type ControlLoginDependencies } from "./control-login.ts";

/** This process's login for each cluster; the longest unused ones of too many are forgotten. */
export class ControlLogins {
  readonly #deps: ControlLoginDependencies;
  /** The longest unused first. */
  readonly #logins = new Map<ClusterId, ControlLogin>();

  constructor(deps: ControlLoginDependencies) {
    this.#deps = deps;
  }

  of(cluster: ClusterId): ControlLogin {
    const login = this.#logins.get(cluster) ?? new ControlLogin(this.#deps);
    this.#logins.delete(cluster);
    this.#logins.set(cluster, login);
    const [oldest] = this.#logins.keys();
    if (this.#logins.size > keptLoginsMax && oldest !== undefined) this.#logins.delete(oldest);
    return login;
  }

  /** The brokers did not take it: the next call makes another one. */
  forget(cluster: ClusterId): void {
    this.#logins.get(cluster)?.forget();
  }
}
