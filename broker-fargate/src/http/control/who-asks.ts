/**
 * Who asks a broker's own control plane.
 *
 * - `Authorization: Bearer {API key}`: what the key's role is.
 * - `Authorization: Basic` of a user of the cluster: an admin, if it is `millrace.admin.user`, otherwise
 *   a viewer.
 * - Nobody, from this very machine and through no proxy, where no listener asks for a login: an
 *   admin, as over Kafka's protocol. What a browser sends for another site is refused, and so is a
 *   Host that is a name from elsewhere, by which a site could pass for this one (DNS rebinding).
 */
import type { ApiKeys, AskedRequest, Authenticated, PrincipalOf } from "@millrace/control-api";
import { base64Bytes, type User, utf8Text } from "@millrace/core";

export interface WhoAsksDependencies {
  readonly apiKeys: Pick<ApiKeys, "verify">;
  /** Whether a listener of the broker asks for a login. */
  readonly hasLogins: boolean;
  readonly adminUser: string | undefined;
  readonly findUser: (name: string) => User | undefined;
  /** Against the SCRAM-SHA-512 credential of a user, if there is one. `busy`: not looked at. */
  readonly checkPassword: (
    user: User | undefined,
    login: { readonly name: string; readonly password: string },
  ) => Promise<"right" | "wrong" | "busy">;
  /** Whoever guesses has to wait, here as over Kafka's protocol. */
  readonly failureDelay: () => Promise<void>;
  /** Names of this broker beside `localhost` and addresses. */
  readonly ownHosts: readonly string[];
}

/** By which a proxy says that it asks for somebody else, from wherever. */
const proxyHeaders = ["forwarded", "x-forwarded-for", "x-real-ip", "via"] as const;
const challenge = 'Bearer realm="millrace", Basic realm="millrace", charset="UTF-8"';

export function whoAsks(deps: WhoAsksDependencies): PrincipalOf {
  return async (asked) => {
    const { request } = asked;
    const site = request.headers.get("sec-fetch-site");
    if (site !== null && site !== "same-origin" && site !== "none") {
      return { kind: "refused", detail: "a page of another site may not ask this" };
    }
    const [scheme = "", ...rest] = (request.headers.get("authorization") ?? "").split(" ");
    const credential = rest.join(" ").trim();
    switch (scheme.toLowerCase()) {
      case "":
        return anybody(deps, asked);
      case "bearer":
        return byKey(deps, credential);
      case "basic":
        return byPassword(deps, credential);
      default:
        return denied(`Authorization is Bearer or Basic, not ${scheme}`);
    }
  };
}

function anybody(deps: WhoAsksDependencies, asked: AskedRequest): Authenticated {
  if (deps.hasLogins) return denied("the broker asks for a login");
  const isOfProxy = proxyHeaders.some((name) => asked.request.headers.has(name));
  if (isOfProxy || !isLoopback(remoteOf(asked))) {
    return denied("not from this machine, so with a login only");
  }
  const { hostname } = new URL(asked.request.url);
  const isOwn = hostname === "localhost" || isAddress(hostname) || deps.ownHosts.includes(hostname);
  if (!isOwn) return { kind: "refused", detail: `this is not ${hostname}` };
  return { kind: "principal", principal: { kind: "local", id: "local", role: "admin" } };
}

async function byKey({ apiKeys }: WhoAsksDependencies, text: string): Promise<Authenticated> {
  const key = await apiKeys.verify(text);
  if (key === undefined) return denied("the API key does not hold");
  return { kind: "principal", principal: { kind: "apiKey", id: key.id, role: key.role } };
}

async function byPassword(deps: WhoAsksDependencies, text: string): Promise<Authenticated> {
  const login = utf8Text(base64Bytes(text) ?? new Uint8Array()) ?? "";
  const colon = login.indexOf(":");
  if (colon < 1) return denied("not the form of a Basic login");
  const name = login.slice(0, colon);
  const user = deps.findUser(name);
  const verdict = await deps.checkPassword(user, { name, password: login.slice(colon + 1) });
  if (verdict === "busy") return denied("too many passwords are being checked: ask again");
  if (verdict === "wrong") {
    await deps.failureDelay();
    return denied("no such user, or another password");
  }
  const role = name === deps.adminUser ? "admin" : "viewer";
  return { kind: "principal", principal: { kind: "user", id: name, role } };
}

function denied(detail: string): Authenticated {
  return { kind: "unauthenticated", challenge, detail };
}

/** Node's request, which its server hands over beside the standard one. */
function remoteOf({ environment }: AskedRequest): string | undefined {
  const { incoming } = environment as {
    readonly incoming?: { readonly socket: { readonly remoteAddress?: string | undefined } };
  };
  return incoming?.socket.remoteAddress;
}

function isLoopback(address: string | undefined): boolean {
  const plain = address?.replace(/^::ffff:/u, "");
  return plain === "::1" || (plain?.startsWith("127.") ?? false);
}

/** IPv4, or IPv6 in its brackets. */
function isAddress(hostname: string): boolean {
  return /^[0-9.]+$/u.test(hostname) || hostname.startsWith("[");
}
