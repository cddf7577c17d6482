import type { Role } from "@millrace/control-api";
import type { JwtOutcome } from "./jwt-login.ts";
import { credentialCharactersMax } from "./limits.ts";
import type { Log } from "./log.ts";
import type { PassedPrincipal } from "./gateway-principal.ts";

/** What the gateway is answered: the caller goes on as this, or is refused (403). */
export type LoginAnswer =
  | { readonly isAuthorized: true; readonly context: PassedPrincipal }
  | { readonly isAuthorized: false };

export interface Logins {
  /** Throws MetadataError where the table does not answer. */
  readonly key: (text: string) => Promise<{ readonly id: string; readonly role: Role } | undefined>;
  /** Absent where no issuer is trusted. Throws where its keys can't be had. */
  readonly token?: (text: string) => Promise<JwtOutcome>;
  readonly log: Log;
}

const refused: LoginAnswer = { isAuthorized: false };

/**
 * Who a request is from, by its Authorization header (RFC 6750): an API key, or a token where an
 * issuer is trusted. What can't be looked up throws, and the gateway then answers 500: it is never
 * taken for a refusal, nor for a login.
 */
export async function login(header: string | undefined, logins: Logins): Promise<LoginAnswer> {
  const [, credential] = /^bearer +(\S+)$/iu.exec(header ?? "") ?? [];
  if (credential === undefined || credential.length > credentialCharactersMax) return refused;
  return isToken(credential) ? byToken(credential, logins) : byKey(credential, logins);
}

/** Three parts with dots between them (RFC 7515); a key has none. */
function isToken(credential: string): boolean {
  return credential.split(".").length === 3;
}

async function byKey(text: string, { key }: Logins): Promise<LoginAnswer> {
  const found = await key(text);
  if (found === undefined) return refused;
  return { isAuthorized: true, context: { kind: "apiKey", id: found.id, role: found.role } };
}

async function byToken(text: string, { log, token }: Logins): Promise<LoginAnswer> {
  if (token === undefined) return refused;
  const outcome = await token(text);
  if (outcome.kind === "valid") {
    return {
      isAuthorized: true,
      context: { kind: "jwt", id: outcome.subject, role: outcome.role },
    };
  }
  log("info", "tokenRefused", { why: outcome.why });
  return refused;
}
