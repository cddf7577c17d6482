/**
 * The control plane's API keys: one item each, `control/apiKey/{id}`, with the hash of the key's
 * secret. A key is `mrk_{16}_{43}`: the digits of its id and its secret, 256 bits, so that one hash
 * without a salt is enough, and so that who scans for leaked secrets can tell it.
 */
import { type Hashing, isSameSecret, type Item, keysUnder, utf8Bytes } from "@millrace/core";
import type { Attempt } from "../idempotency/attempt.ts";
import { apiKeysMax } from "../limits.ts";
import { ControlStore, type ControlStoreDependencies } from "../operations/control-store.ts";
import type { Role } from "../principal.ts";
import type { ApiKey, CreatedApiKey } from "../schemas/access.ts";
import { urlBytes, urlText } from "../text.ts";

export interface ApiKeysDependencies extends ControlStoreDependencies {
  readonly hashing: Hashing;
}

const prefix = "control/apiKey";
const keyPattern = /^mrk_([0-9a-hjkmnp-tv-z]{16})_([A-Za-z0-9_-]{43})$/u;
const countKey = "control/apiKeyCount";

export class ApiKeys {
  readonly #deps: ApiKeysDependencies;
  readonly #store: ControlStore;

  constructor(deps: ApiKeysDependencies) {
    this.#deps = deps;
    this.#store = new ControlStore(deps);
  }

  /** Throws MetadataError. */
  async create(
    { name, role }: { readonly name: string; readonly role: Role },
    attempt: Attempt,
  ): Promise<CreatedApiKey | "tooMany"> {
    const secret = attempt.secret();
    const id = attempt.newId("key");
    const createdAt = new Date(attempt.startedMs).toISOString();
    const key: ApiKey = { id, name, role, createdAt };
    const made = { ...key, key: `mrk_${id.slice("key_".length)}_${secret}` };
    for (;;) {
      const count = await this.#store.get(countKey);
      const keys = numberOf(count, "keys");
      // An id is never made twice but by the tries of one request.
      if ((await this.#store.get(`${prefix}/${id}`)) !== undefined) return made;
      if (keys >= apiKeysMax) return "tooMany";
      const value = { ...key, hash: this.#hash(secret) };
      const outcome = await this.#store.write([
        { key: `${prefix}/${id}`, value, over: "nothing" },
        { key: countKey, value: { keys: keys + 1, last: id }, over: count?.version ?? "nothing" },
      ]);
      if (outcome === "written") return made;
    }
  }

  /** By age. Throws MetadataError. */
  async list(page: { readonly limit: number; readonly after: string | undefined }): Promise<{
    readonly items: readonly ApiKey[];
    readonly next: string | undefined;
  }> {
    const range = keysUnder(prefix, page.limit);
    // "!" is the first character of keys: the next key after this one.
    const from = page.after === undefined ? range.from : `${prefix}/${page.after}!`;
    const found = await this.#store.range({ ...range, from });
    const items = found.items.map(shown);
    return { items, next: found.next === undefined ? undefined : items.at(-1)?.id };
  }

  /** Throws MetadataError. */
  async delete(id: string): Promise<"deleted" | "absent"> {
    for (;;) {
      const found = await this.#store.get(`${prefix}/${id}`);
      if (found === undefined) return "absent";
      const count = await this.#store.get(countKey);
      const keys = Math.max(0, numberOf(count, "keys") - 1);
      const outcome = await this.#store.write([
        { key: found.key, value: undefined, over: found.version },
        { key: countKey, value: { keys, last: id }, over: count?.version ?? "nothing" },
      ]);
      if (outcome === "written") return "deleted";
    }
  }

  /** The key that the text is, if it holds. Throws MetadataError. */
  async verify(text: string): Promise<ApiKey | undefined> {
    const [, digits, secret] = keyPattern.exec(text) ?? [];
    if (digits === undefined || secret === undefined) return undefined;
    const found = await this.#store.get(`${prefix}/key_${digits}`);
    const hash = found?.value["hash"];
    if (found === undefined || typeof hash !== "string") return undefined;
    const kept = urlBytes(hash) ?? new Uint8Array();
    const isIt = isSameSecret(kept, this.#digest(secret));
    return isIt ? shown(found) : undefined;
  }

  #hash(secret: string): string {
    return urlText(this.#digest(secret));
  }

  #digest(secret: string): Uint8Array {
    return this.#deps.hashing.digest("SHA-256", utf8Bytes(secret));
  }
}

function shown({ value }: Item): ApiKey {
  const { createdAt, id, name, role } = value as unknown as ApiKey;
  return { id, name, role, createdAt };
}

function numberOf(item: Item | undefined, field: string): number {
  const value = item?.value[field];
  return typeof value === "number" ? value : 0;
}
