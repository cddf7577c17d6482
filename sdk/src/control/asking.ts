/** One request to the control plane: its login, its end in time, its retries and its failures. */
import createClient, { type Client } from "openapi-fetch";
import type { Credential } from "../connect.ts";
import { argumentError, ConnectionError, MillraceError } from "../errors.ts";
import { controlRetryMsMax, controlTimeoutMsDefault } from "../limits.ts";
import { type Abortable, newUniqueText, retrying } from "../timing.ts";
import type { paths } from "./generated/schema.ts";
import { ControlPlaneError } from "./problem-error.ts";

/**
 * Where the control plane is, and as whom it is asked.
 *
 * @example
 * ```ts
 * import { controlPlane, type ControlPlaneOptions } from "@millrace/sdk";
 * import { readFile } from "node:fs/promises";
 *
 * const options: ControlPlaneOptions = {
 *   url: "https://control.example.com",
 *   apiKey: () => readFile("/run/secrets/millrace", "utf8"),
 * };
 * console.log(await controlPlane(options).whoAmI());
 * ```
 */
export interface ControlPlaneOptions {
  /** With its scheme, `https:` or `http:`. Anything else is refused as `INVALID_ARGUMENT`. */
  readonly url: string;
  /** An API key, or a token that the control plane's gateway takes. */
  readonly apiKey?: Credential;
  /** How long one request may take. Default 30 s. */
  readonly timeoutMs?: number;
  /** In place of the platform's. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

export interface Answered<Body> {
  readonly data?: Body;
  readonly error?: unknown;
  readonly response: Response;
}

type Api = Client<paths>;

/** What each call hands to openapi-fetch, which asks for an index signature, beside its parameters. */
type CallOptions = {
  readonly signal: AbortSignal;
  readonly headers: Readonly<Record<string, string>>;
};

/** `once`: a repeat could do it twice, so a failure is not tried again. */
export type Repeats = "safe" | "once";

export class Asking {
  readonly #api: Api;
  readonly #options: ControlPlaneOptions;

  constructor(options: ControlPlaneOptions) {
    if (!/^https?:/u.test(options.url) || !URL.canParse(options.url)) {
      throw argumentError(`${options.url} is no address of a control plane`);
    }
    this.#options = options;
    const baseUrl = options.url.replace(/\/+$/u, "");
    const fetch = options.fetch ?? globalThis.fetch;
    this.#api = createClient<paths>({ baseUrl, fetch: (request) => fetch(request) });
  }

  /** Throws ControlPlaneError, ConnectionError, or the signal's reason. */
  ask<Body>(
    call: (api: Api, options: CallOptions) => Promise<Answered<Body>>,
    { repeats = "safe", signal }: Abortable & { readonly repeats?: Repeats } = {},
  ): Promise<Body> {
    const retriable = (error: unknown): boolean =>
      repeats === "safe" && error instanceof MillraceError && error.retriable;
    return retrying(() => this.#once(call, signal), {
      forMs: controlRetryMsMax,
      retriable,
      signal,
    });
  }

  /** As `ask`, of what makes something: all its tries are one request to the control plane. */
  make<Body>(
    call: (api: Api, options: CallOptions & { readonly key: string }) => Promise<Answered<Body>>,
    options: Abortable = {},
  ): Promise<Body> {
    const key = newUniqueText();
    return this.ask((api, how) => call(api, { ...how, key }), options);
  }

  async #once<Body>(
    call: (api: Api, options: CallOptions) => Promise<Answered<Body>>,
    signal: AbortSignal | undefined,
  ): Promise<Body> {
    const timeout = AbortSignal.timeout(this.#options.timeoutMs ?? controlTimeoutMsDefault);
    const ended = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    const headers = await this.#headers();
    let answered: Answered<Body>;
    try {
      answered = await call(this.#api, { signal: ended, headers });
    } catch (error) {
      signal?.throwIfAborted();
      if (timeout.aborted) {
        throw new ConnectionError("the control plane took too long", error, "REQUEST_TIMED_OUT");
      }
      throw new ConnectionError("the control plane did not answer", error);
    }
    const { data, error, response } = answered;
    if (!response.ok) throw new ControlPlaneError(response.status, problemIn(error));
    return data as Body;
  }

  async #headers(): Promise<Readonly<Record<string, string>>> {
    const { apiKey } = this.#options;
    if (apiKey === undefined) return {};
    const key = typeof apiKey === "string" ? apiKey : await apiKey();
    return { authorization: `Bearer ${key.trim()}` };
  }
}

/** What is no problem, from a proxy say, says nothing but its status. */
function problemIn(body: unknown): ConstructorParameters<typeof ControlPlaneError>[1] {
  return typeof body === "object" && body !== null ? body : {};
}
