import {
  type Clock,
  type Credential,
  type Hashing,
  isPasswordOf,
  isSameSecret,
  Lanes,
  type Random,
  scramIterationsMin,
  scramKeys,
  type ScramKeys,
  stretched,
  utf8Bytes,
} from "@millrace/core";
import {
  stretchesInFlightMax,
  stretchesWaitingMax,
  verifiedLoginMsMax,
  verifiedLoginsMax,
} from "./limits.ts";

/** `busy`: too many passwords wait to be checked. */
export type PasswordVerdict = "right" | "wrong" | "busy";

const mechanism = "SCRAM-SHA-512";
const ownKeyBytes = 32;

/**
 * Checks the passwords of PLAIN against stored credentials. A few go through PBKDF2 at once, off the
 * event loop, and a bounded number waits. A login that was right is remembered for a short time, by
 * a hash under a key of this process that covers the credential, too: a changed one is not the
 * remembered one. A user who is not there takes as long as one who is.
 */
export class PasswordChecks {
  readonly #hashing: Hashing;
  readonly #clock: Clock;
  readonly #ownKey: Uint8Array;
  readonly #decoy: ScramKeys;
  readonly #lanes = new Lanes(stretchesInFlightMax);
  /** Until when each counts, the oldest first. */
  readonly #verified = new Map<string, number>();
  #underWay = 0;

  constructor(deps: {
    readonly hashing: Hashing;
    readonly clock: Clock;
    readonly random: Random;
  }) {
    this.#hashing = deps.hashing;
    this.#clock = deps.clock;
    this.#ownKey = deps.random.bytes(ownKeyBytes);
    const made = {
      saltedPassword: deps.random.bytes(ownKeyBytes),
      salt: deps.random.bytes(ownKeyBytes),
      iterations: scramIterationsMin,
    };
    this.#decoy = scramKeys(deps.hashing, mechanism, made);
  }

  /** Logins that are remembered. */
  get remembered(): number {
    return this.#verified.size;
  }

  /** A password that is configured, not stored. */
  isSame(given: string, configured: string): boolean {
    const hashed = (text: string): Uint8Array =>
      this.#hashing.hmac("SHA-256", this.#ownKey, utf8Bytes(text));
    return isSameSecret(hashed(given), hashed(configured));
  }

  async verify(
    user: string,
    password: string,
    credential: Credential | undefined,
  ): Promise<PasswordVerdict> {
    const keys = credential?.keys ?? this.#decoy;
    const login = this.#loginId({ user, password, keys });
    const nowMs = this.#clock.monotonicMs();
    if ((this.#verified.get(login) ?? nowMs) > nowMs) return "right";
    this.#verified.delete(login);
    if (this.#underWay >= stretchesInFlightMax + stretchesWaitingMax) return "busy";
    this.#underWay += 1;
    try {
      const { iterations, salt } = keys;
      const saltedPassword = await this.#lanes.run(() =>
        stretched(this.#hashing, mechanism, { password, salt, iterations }),
      );
      const isRight = isPasswordOf(this.#hashing, mechanism, { keys, saltedPassword });
      if (!isRight || credential === undefined) return "wrong";
      this.#remember(login);
      return "right";
    } finally {
      this.#underWay -= 1;
    }
  }

  #remember(login: string): void {
    const [oldest] = this.#verified.keys();
    if (this.#verified.size >= verifiedLoginsMax && oldest !== undefined) {
      this.#verified.delete(oldest);
    }
    this.#verified.set(login, this.#clock.monotonicMs() + verifiedLoginMsMax);
  }

  #loginId(login: {
    readonly user: string;
    readonly password: string;
    readonly keys: ScramKeys;
  }): string {
    // No user's name and no password of PLAIN has a NUL in it.
    const said = utf8Bytes(`${login.user}\0${login.password}\0`);
    const all = new Uint8Array(said.length + login.keys.storedKey.length);
    all.set(said);
    all.set(login.keys.storedKey, said.length);
    return String.fromCharCode(...this.#hashing.hmac("SHA-256", this.#ownKey, all));
  }
}
