/**
 * The authentication of one connection by SASL (KIP-43, KIP-152, KIP-368).
 *
 *     start ──ApiVersions──▶ versioned ──┐
 *       └──────SaslHandshake─────────────┴──▶ exchange ⟲ SaslAuthenticate ──▶ authenticated
 *     authenticated ──SaslHandshake──▶ exchange (again), or refusing where the mechanism is another
 *
 * ApiVersions may come once. After SaslHandshake v0 tokens come bare, each in a frame without a
 * header. Anything else before the authentication, or in the midst of one, ends the connection. What
 * fails is answered after a delay, where it is answered at all, and ends the connection.
 *
 * An authentication holds until the listener's `connections.max.reauth.ms` are over: the first
 * request after that, unless it begins a new one, ends the connection. It ends at once when the
 * credential that it rests on is deleted.
 */
import {
  assert,
  beginExchange,
  credentialMechanism,
  endExchange,
  isSaslMechanism,
  MetadataError,
  readClientFirst,
  readPlain,
  type SaslMechanism,
  type ScramExchange,
  type ScramMechanism,
  type Timer,
  userNameCharactersMax,
  utf8Bytes,
} from "@millrace/core";
import { ApiKey, Writer } from "@millrace/wire";
import type { AuthenticateOutcome, HandshakeOutcome, Sasl } from "../../handlers/handler.ts";
import { requestsInFlightPerConnectionMax } from "../../limits.ts";
import { CloseConnection, type CloseReason } from "../close-reason.ts";
import type { Dispatcher, Prepared, Reply, RequestOrigin } from "../dispatcher.ts";
import type { Authentication } from "./authentication.ts";
import {
  reauthenticationMsMin,
  unauthenticatedMsMax,
  unauthenticatedRequestsMax,
} from "./limits.ts";
import { saslWords } from "./sasl-words.ts";

/** The connection, as its authentication sees it. */
export interface SaslHost {
  /** Ends it after the replies to what was asked; the reason goes to the log. */
  end(reason: CloseReason, message: string): void;
  abort(reason: CloseReason, message: string): void;
}

export interface Login {
  readonly user: string;
  readonly mechanism: SaslMechanism;
  /** The credential that it rests on; undefined: it is one of the configuration. */
  readonly stamp: string | undefined;
  /** By the monotonic clock. */
  readonly expiresMs: number;
}

type State =
  | { readonly is: "start" | "versioned" | "refusing" | "authenticated" | "failed" }
  | {
      readonly is: "exchange";
      readonly mechanism: SaslMechanism;
      /** Whether tokens come bare. */
      readonly framing: "kafka" | "bare";
      readonly scram?: { readonly exchange: ScramExchange; readonly stamp: string };
    };
type Exchange = Extract<State, { readonly is: "exchange" }>;

/** What one token led to. */
type Step =
  | { readonly kind: "continue"; readonly token: Uint8Array; readonly state: Exchange }
  | {
      readonly kind: "proved";
      readonly token: Uint8Array;
      readonly user: string;
      readonly stamp: string | undefined;
    }
  | { readonly kind: "failed"; readonly message: string; readonly user?: string }
  | { readonly kind: "unavailable"; readonly cause: string };

const noBytes = new Uint8Array(0);

export class SaslSession implements Sasl {
  readonly #authentication: Authentication;
  #host: SaslHost | undefined;
  #state: State = { is: "start" };
  #login: Login | undefined;
  #reauthenticationBegunMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #isGone = false;

  constructor(authentication: Authentication) {
    this.#authentication = authentication;
  }

  /** To be called once, before the first frame. */
  attach(host: SaslHost): void {
    this.#host = host;
    this.#timer = this.#authentication.clock.after(unauthenticatedMsMax, () => {
      if (this.#login === undefined)
        host.abort("unauthenticated", "it did not authenticate in time");
    });
  }

  /** The connection is gone. */
  detach(): void {
    this.#isGone = true;
    this.#timer?.cancel();
    this.#authentication.forget(this);
  }

  get login(): Login | undefined {
    return this.#login;
  }

  /** The largest frame that is read now: tokens are small, also those of one who begins again. */
  get frameBytesMax(): number {
    return this.#state.is === "authenticated"
      ? Number.POSITIVE_INFINITY
      : this.#authentication.receiveBytesMax;
  }

  /** Requests that are read and not answered. */
  get requestsMax(): number {
    return this.#state.is === "authenticated"
      ? requestsInFlightPerConnectionMax
      : unauthenticatedRequestsMax;
  }

  /** The credential is gone that the login rests on. */
  revoked(): void {
    const user = this.#login?.user ?? "";
    this.#host?.abort("credentialDeleted", `the credential of User:${user} was deleted`);
  }

  /** Lets a frame pass to its handler, or says what becomes of it instead. */
  prepare(frame: Uint8Array, origin: RequestOrigin, next: Dispatcher): Prepared {
    const state = this.#state;
    if (state.is === "exchange" && state.framing === "bare") return this.#bareToken(frame);
    const apiKey = ((frame[0] ?? 0xff) << 8) | (frame[1] ?? 0xff);
    if (state.is === "authenticated") {
      const isReauthentication = apiKey === ApiKey.SaslHandshake;
      if (isReauthentication || !this.#isExpired()) return next.prepare(frame, origin);
      const message = "its authentication expired";
      return { kind: "refused", reason: "authenticationExpired", message };
    }
    if (isExpected(state, apiKey)) return next.prepare(frame, origin);
    const message = `API ${apiKey} came while SASL was at: ${state.is}`;
    return { kind: "call", apiKey: ApiKey.SaslAuthenticate, call: () => this.#closed(message) };
  }

  versionsAnswered(): void {
    if (this.#state.is === "start") this.#state = { is: "versioned" };
  }

  async handshake(name: string, version: number): Promise<HandshakeOutcome> {
    const { mechanisms } = this.#authentication.settings;
    const isAgain = this.#state.is === "authenticated";
    if (isAgain) {
      const nowMs = this.#authentication.clock.monotonicMs();
      if (nowMs - this.#reauthenticationBegunMs < reauthenticationMsMin) return { kind: "illegal" };
      this.#reauthenticationBegunMs = nowMs;
    } else if (this.#state.is !== "start" && this.#state.is !== "versioned") {
      await this.#fail("a second SaslHandshake");
      return { kind: "illegal" };
    }
    if (!isSaslMechanism(name) || !mechanisms.includes(name)) {
      this.#authentication.count("other", "failed");
      await this.#fail("an unsupported SASL mechanism");
      return { kind: "unsupported", mechanisms };
    }
    const isAnother = this.#login !== undefined && this.#login.mechanism !== name;
    const framing = version === 0 ? "bare" : "kafka";
    this.#state = isAnother ? { is: "refusing" } : { is: "exchange", mechanism: name, framing };
    return { kind: "accepted", mechanisms };
  }

  async authenticate(token: Uint8Array): Promise<AuthenticateOutcome> {
    const state = this.#state;
    if (state.is === "authenticated") {
      return { kind: "illegal", message: saslWords.alreadyAuthenticated };
    }
    if (state.is !== "exchange") return this.#closed("its mechanism is another than before");
    // Its frame may have been read before the exchange began.
    if (token.length > this.#authentication.receiveBytesMax) {
      return this.#closed(`a token of ${token.length} bytes`);
    }
    const step = await this.#step(state, token);
    // The connection may be gone; then nobody hears of it.
    switch (step.kind) {
      case "continue":
        this.#state = step.state;
        return { kind: "continue", token: step.token };
      case "proved":
        return this.#proved(state.mechanism, step);
      case "failed":
        return this.#refuse(state.mechanism, step);
      case "unavailable":
        this.#state = { is: "failed" };
        throw new CloseConnection(step.cause, "authenticationUnavailable");
    }
  }

  async #step(state: Exchange, token: Uint8Array): Promise<Step> {
    const { mechanism } = state;
    try {
      if (mechanism === "PLAIN") return await this.#plain(token);
      if (state.scram === undefined) return await this.#scramFirst(state, mechanism, token);
      const { exchange, stamp } = state.scram;
      const { user } = exchange.client;
      const answer = endExchange(this.#authentication.hashing, exchange, token);
      if (answer === undefined) return { ...this.#badCredentials(mechanism), user };
      return { kind: "proved", token: answer, user, stamp };
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      return { kind: "unavailable", cause: "the metadata store did not answer" };
    }
  }

  async #plain(token: Uint8Array): Promise<Step> {
    const { passwords, settings, users } = this.#authentication;
    const message = readPlain(token);
    if (!message.ok) return { kind: "failed", message: message.message };
    const { authorizationId, password, user } = message;
    const configured = settings.staticUsers.get(user);
    let stamp: string | undefined;
    if (configured === undefined) {
      const found = await users.confirm(user, "SCRAM-SHA-512");
      const credential = found?.credentials.get("SCRAM-SHA-512");
      const verdict = await passwords.verify(user, password, credential);
      if (verdict === "busy") {
        return { kind: "unavailable", cause: "too many passwords wait to be checked" };
      }
      if (verdict === "wrong") return { kind: "failed", message: saslWords.wrongPassword, user };
      stamp = credential?.stamp;
    } else if (!passwords.isSame(password, configured)) {
      return { kind: "failed", message: saslWords.wrongPassword, user };
    }
    if (authorizationId !== "" && authorizationId !== user) {
      return { kind: "failed", message: saslWords.otherAuthorizationId, user };
    }
    return { kind: "proved", token: noBytes, user, stamp };
  }

  async #scramFirst(state: Exchange, mechanism: ScramMechanism, token: Uint8Array): Promise<Step> {
    const client = readClientFirst(token);
    if (client === undefined) return this.#badCredentials(mechanism);
    const { authorizationId, user } = client;
    const found = await this.#authentication.users.confirm(user, mechanism);
    const credential = found?.credentials.get(mechanism);
    if (credential === undefined) return { ...this.#badCredentials(mechanism), user };
    if (authorizationId !== "" && authorizationId !== user) {
      return { kind: "failed", message: saslWords.otherAuthorizationId, user };
    }
    const { keys, stamp } = credential;
    const serverNonce = this.#authentication.nonce();
    const exchange = beginExchange(mechanism, { client, keys, serverNonce });
    const answer = utf8Bytes(exchange.text);
    return { kind: "continue", token: answer, state: { ...state, scram: { exchange, stamp } } };
  }

  #badCredentials(mechanism: SaslMechanism): Extract<Step, { readonly kind: "failed" }> {
    const again = this.#login === undefined ? "authentication" : "re-authentication";
    return { kind: "failed", message: saslWords.badCredentials(again, mechanism) };
  }

  #proved(
    mechanism: SaslMechanism,
    { stamp, token, user }: Extract<Step, { readonly kind: "proved" }>,
  ): AuthenticateOutcome | Promise<AuthenticateOutcome> {
    const before = this.#login;
    if (before !== undefined && before.user !== user) {
      const message = saslWords.otherPrincipal(before.user, shortened(user));
      return this.#refuse(mechanism, { kind: "failed", message, user });
    }
    if (!this.#authentication.holds({ user, mechanism, stamp })) {
      return this.#refuse(mechanism, { ...this.#badCredentials(mechanism), user });
    }
    const { clock, settings } = this.#authentication;
    const sessionLifetimeMs = settings.reauthMsMax.get(mechanism) ?? 0;
    const holdsMs = sessionLifetimeMs === 0 ? Number.POSITIVE_INFINITY : sessionLifetimeMs;
    this.#login = { user, mechanism, stamp, expiresMs: clock.monotonicMs() + holdsMs };
    this.#state = { is: "authenticated" };
    this.#timer?.cancel();
    if (!this.#isGone) this.#authentication.remember(this);
    return { kind: "authenticated", token, sessionLifetimeMs };
  }

  async #refuse(
    mechanism: SaslMechanism,
    { message, user }: Extract<Step, { readonly kind: "failed" }>,
  ): Promise<AuthenticateOutcome> {
    this.#authentication.count(mechanism, "failed");
    const who = user === undefined ? "a client" : `User:${shortened(user)}`;
    await this.#fail(`${who} failed to authenticate by ${mechanism}`);
    return { kind: "failed", message };
  }

  /** Whoever guesses has to wait. Then the connection ends, with the reply that the caller gives. */
  async #fail(message: string): Promise<void> {
    this.#state = { is: "failed" };
    await this.#authentication.failureDelay();
    this.#host?.end("authenticationFailed", message);
  }

  /** The connection ends without a reply. */
  async #closed(message: string): Promise<never> {
    this.#state = { is: "failed" };
    await this.#authentication.failureDelay();
    throw new CloseConnection(message, "authenticationFailed");
  }

  #bareToken(frame: Uint8Array): Prepared {
    const call = async (): Promise<Reply> => {
      const outcome = await this.authenticate(frame);
      if (outcome.kind === "failed" || outcome.kind === "illegal") {
        throw new CloseConnection(outcome.message, "authenticationFailed");
      }
      const writer = new Writer("frame");
      writer.raw(outcome.token);
      return { frame: writer.finish(), sent: undefined };
    };
    return { kind: "call", apiKey: ApiKey.SaslAuthenticate, call };
  }

  #isExpired(): boolean {
    assert(this.#login !== undefined, "who is authenticated has a login");
    return this.#authentication.clock.monotonicMs() > this.#login.expiresMs;
  }
}

/** For the log, and for replies: whoever has not authenticated may claim to be anybody. */
function shortened(user: string): string {
  if (user.length <= userNameCharactersMax) return user;
  return `${user.slice(0, userNameCharactersMax).toWellFormed()}…`;
}

function isExpected(state: State, apiKey: number): boolean {
  switch (state.is) {
    case "start":
      return apiKey === ApiKey.ApiVersions || apiKey === ApiKey.SaslHandshake;
    case "versioned":
      return apiKey === ApiKey.SaslHandshake;
    case "exchange":
      // A second handshake is told that it is one.
      return apiKey === ApiKey.SaslAuthenticate || apiKey === ApiKey.SaslHandshake;
    case "refusing":
      return apiKey === ApiKey.SaslAuthenticate;
    case "authenticated":
    case "failed":
      return state.is === "authenticated";
  }
}

/** By which stored credential a login is checked. */
export function restsOn({ mechanism, stamp }: Login): ScramMechanism | undefined {
  return stamp === undefined ? undefined : credentialMechanism(mechanism);
}
