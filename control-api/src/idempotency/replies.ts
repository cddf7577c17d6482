/**
 * The replies that are kept for repeats (draft-ietf-httpapi-idempotency-key-header): one item for
 * each caller, route and key, `control/idempotency/{hash}`, for a day.
 *
 * Path: `begin` writes the item before anything else happens, on the condition that there is none →
 * the request is served → `finish` puts the reply into the item, or `abandon` opens it again. Who dies
 * in between leaves an item whose lease ends; the next repeat then goes on in its place and is told
 * that it does (`isRepeated`).
 *
 * No secret is stored: where the reply shows one, the item has a mark, and the repeat makes it again
 * from its key (`secretOf`). The key itself is stored as a hash only.
 */
import {
  type Clock,
  type Hashing,
  type Item,
  itemBytesMax,
  type ItemValue,
  keysUnder,
  type Random,
  utf8Bytes,
} from "@millrace/core";
import { idempotencyKeptMs, idempotencyLeaseMs, idempotencySweptMax } from "../limits.ts";
import { ControlStore } from "../operations/control-store.ts";
import type { ControlStoreDependencies } from "../operations/control-store.ts";
import { urlText } from "../text.ts";
import { type Attempt, idOf, type KeptChance, secretOf } from "./attempt.ts";

export interface KeptReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface KeyedRequest {
  /** Whose it is, and which route. */
  readonly scope: string;
  readonly key: string;
  readonly body: string;
}

export type Begun =
  | { readonly kind: "first"; readonly attempt: KeyedAttempt }
  | { readonly kind: "kept"; readonly reply: KeptReply }
  | { readonly kind: "otherRequest" }
  | { readonly kind: "underWay"; readonly retryAfterMs: number };

/** An attempt that holds its key's item. */
export interface KeyedAttempt extends Attempt {
  readonly itemKey: string;
  readonly version: number;
  readonly value: ItemValue;
  readonly secretText: string;
}

/** In JSON it never stands as it is. */
const secretMark = "\u0001";
const prefix = "control/idempotency";
const nonceBytes = 16;

export class KeptReplies {
  readonly #store: ControlStore;
  readonly #clock: Clock;
  readonly #hashing: Hashing;
  readonly #random: Random;

  constructor(deps: ControlStoreDependencies & { readonly hashing: Hashing }) {
    this.#store = new ControlStore(deps);
    this.#clock = deps.clock;
    this.#hashing = deps.hashing;
    this.#random = deps.random;
  }

  /** Throws MetadataError. */
  async begin(request: KeyedRequest): Promise<Begun> {
    const itemKey = `${prefix}/${this.#hash(`${request.scope}\0${request.key}`)}`;
    const fingerprint = this.#hash(request.body);
    for (;;) {
      const found = await this.#store.get(itemKey);
      const nowMs = this.#clock.wallMs();
      const isOver =
        found !== undefined && numberOf(found.value["startedMs"]) + idempotencyKeptMs < nowMs;
      if (found === undefined || isOver) {
        const nonce = urlText(this.#random.bytes(nonceBytes));
        const value = {
          fingerprint,
          nonce,
          startedMs: nowMs,
          leaseUntilMs: nowMs + idempotencyLeaseMs,
        };
        const over = found?.version ?? "nothing";
        const outcome = await this.#store.write([{ key: itemKey, value, over }]);
        if (outcome === "refused") continue;
        await this.#sweep(itemKey);
        const version = (found?.version ?? 0) + 1;
        return this.#first(request.key, { key: itemKey, version, value }, { isRepeated: false });
      }
      const begun = await this.#found(request.key, found, { fingerprint, nowMs });
      if (begun !== undefined) return begun;
    }
  }

  /**
   * Keeps the reply. One that can't be kept, or is too large to be, is lost to repeats, which then go
   * on in the request's place.
   */
  async finish(attempt: KeyedAttempt, reply: KeptReply): Promise<void> {
    const body = reply.body.replaceAll(attempt.secretText, secretMark);
    const value = { ...attempt.value, reply: { ...reply, headers: { ...reply.headers }, body } };
    if (utf8Bytes(JSON.stringify(value)).length > itemBytesMax) {
      return this.abandon(attempt, "unknown");
    }
    await this.#store.write([{ key: attempt.itemKey, value, over: attempt.version }]);
  }

  /**
   * Lets a repeat try at once. `nothing`: the request had no effect, and its key is free for another
   * one; `unknown`: a repeat goes on in its place.
   */
  async abandon(attempt: KeyedAttempt, effect: "nothing" | "unknown"): Promise<void> {
    const value = effect === "nothing" ? undefined : { ...attempt.value, leaseUntilMs: 0 };
    await this.#store.write([{ key: attempt.itemKey, value, over: attempt.version }]);
  }

  /** Undefined: another request was faster; look again. */
  async #found(
    key: string,
    item: Item,
    { fingerprint, nowMs }: { readonly fingerprint: string; readonly nowMs: number },
  ): Promise<Begun | undefined> {
    if (item.value["fingerprint"] !== fingerprint) return { kind: "otherRequest" };
    const reply = item.value["reply"] as KeptReply | undefined;
    if (reply !== undefined) {
      const secret = secretOf(this.#hashing, key, chanceOf(item.value));
      return { kind: "kept", reply: { ...reply, body: reply.body.replaceAll(secretMark, secret) } };
    }
    const leaseUntilMs = numberOf(item.value["leaseUntilMs"]);
    if (leaseUntilMs > nowMs) return { kind: "underWay", retryAfterMs: leaseUntilMs - nowMs };
    const value = { ...item.value, leaseUntilMs: nowMs + idempotencyLeaseMs, tries: triesOf(item) };
    const outcome = await this.#store.write([{ key: item.key, value, over: item.version }]);
    if (outcome === "refused") return undefined;
    return this.#first(key, { ...item, version: item.version + 1, value }, { isRepeated: true });
  }

  #first(key: string, item: Item, { isRepeated }: Pick<Attempt, "isRepeated">): Begun {
    const { version, value } = item;
    const chance = chanceOf(value);
    const secretText = secretOf(this.#hashing, key, chance);
    const attempt: KeyedAttempt = {
      ...{ isRepeated, itemKey: item.key, version, value, secretText },
      startedMs: chance.startedMs,
      newId: (prefix) => idOf(this.#hashing, prefix, chance),
      secret: () => secretText,
    };
    return { kind: "first", attempt };
  }

  /**
   * Removes what is old among the items after this one. Hashes fall anywhere, so that each item is
   * looked at as often as others are made, and old ones stay few without anybody walking them all.
   */
  async #sweep(itemKey: string): Promise<void> {
    const range = keysUnder(prefix, idempotencySweptMax);
    const { items } = await this.#store.range({ ...range, from: `${itemKey}~` });
    const untilMs = this.#clock.wallMs() - idempotencyKeptMs;
    const old = items.filter(({ value }) => numberOf(value["startedMs"]) < untilMs);
    // One by one: what another request renewed meanwhile stays.
    for (const { key, version } of old) {
      await this.#store.write([{ key, value: undefined, over: version }]);
    }
  }

  #hash(text: string): string {
    return urlText(this.#hashing.digest("SHA-256", utf8Bytes(text)));
  }
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function chanceOf(value: ItemValue): KeptChance {
  const { nonce, startedMs } = value;
  return { startedMs: numberOf(startedMs), nonce: typeof nonce === "string" ? nonce : "" };
}

/** Makes two takeovers of one item write different values. */
function triesOf({ value }: Item): number {
  return numberOf(value["tries"]) + 1;
}
