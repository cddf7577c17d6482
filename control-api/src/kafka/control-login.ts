/**
 * The login by which an API process speaks to a cluster's brokers: a user `control-{random}`, whose
 * password is in this process's memory and nowhere else. It is made as any credential is, straight in
 * the cluster's store; so that no secret of the control plane is stored, and whoever may write the
 * store may log in. What other processes left behind goes when it is older than a day.
 */
import { keys, keysUnder, type MetadataStore } from "@millrace/core";
import { UserChanges, type UserChangesDependencies } from "../access/user-changes.ts";
import { controlLoginMsMax, loginsSweptMax, renewLoginMs } from "../limits.ts";
import { ControlStore } from "../operations/control-store.ts";
import { urlText } from "../text.ts";

export interface Login {
  readonly username: string;
  readonly password: string;
}

const prefix = "control/login";
const nameBytes = 12;
const passwordBytes = 32;

export type ControlLoginDependencies = Omit<UserChangesDependencies, "store">;

/** Of one cluster, in one process. */
export class ControlLogin {
  readonly #deps: ControlLoginDependencies;
  /** Under way, or made. */
  #held: Promise<Login> | undefined;
  #heldSinceMs = 0;

  constructor(deps: ControlLoginDependencies) {
    this.#deps = deps;
  }

  /** The login, made or renewed where it is time. `changed` is told of users. Throws MetadataError. */
  current(
    store: MetadataStore,
    changed: (keys: readonly string[]) => Promise<void>,
  ): Promise<Login> {
    const nowMs = this.#deps.clock.wallMs();
    if (this.#held !== undefined && nowMs - this.#heldSinceMs < renewLoginMs) return this.#held;
    const making = this.#make(store, changed);
    this.#held = making;
    this.#heldSinceMs = nowMs;
    making.catch(() => {
      if (this.#held === making) this.#held = undefined;
    });
    return making;
  }

  /** The brokers did not take it: the next call makes another one. */
  forget(): void {
    this.#held = undefined;
  }

  async #make(
    store: MetadataStore,
    changed: (keys: readonly string[]) => Promise<void>,
  ): Promise<Login> {
    const { clock, random } = this.#deps;
    const username = `control-${urlText(random.bytes(nameBytes))}`;
    const password = urlText(random.bytes(passwordBytes));
    const madeMs = clock.wallMs();
    const changes = new UserChanges({ ...this.#deps, store });
    const companion = { key: `${prefix}/${username}`, value: { username, madeMs } };
    await changes.add({ username, password }, companion);
    await changed([keys.user(username), ...(await this.#sweep(store, changes, companion.key))]);
    return { username, password };
  }

  /**
   * Removes what is too old, whoever made it; returns the keys of its users. Looked at are those
   * after the newest one, and on from the first: names are random, so that each has its turn.
   */
  async #sweep(
    store: MetadataStore,
    changes: UserChanges,
    newest: string,
  ): Promise<readonly string[]> {
    const control = new ControlStore({ ...this.#deps, store });
    const range = keysUnder(prefix, loginsSweptMax);
    const { items: after } = await control.range({ ...range, from: `${newest}!` });
    const limit = loginsSweptMax - after.length;
    const before = limit === 0 ? [] : (await control.range({ ...range, limit, to: newest })).items;
    const items = [...after, ...before];
    const untilMs = this.#deps.clock.wallMs() - controlLoginMsMax;
    const gone: string[] = [];
    for (const { key, value } of items) {
      const { madeMs, username } = value;
      if (typeof madeMs !== "number" || typeof username !== "string" || madeMs > untilMs) continue;
      await changes.remove(username, key);
      gone.push(keys.user(username));
    }
    return gone;
  }
}
