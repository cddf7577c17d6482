import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { clockToleranceSecondsMax, issuerKeysMsMax } from "./limits.ts";

/** Whose tokens are taken, and what they must say. */
export interface JwtPolicy {
  readonly issuer: string;
  readonly audience: string;
  /** The claim whose value, or one of whose values, is a role. */
  readonly roleClaim: string;
}

export type JwtOutcome =
  | { readonly kind: "valid"; readonly subject: string; readonly role: TokenRole }
  /** For the log alone: the caller learns nothing of it. */
  | { readonly kind: "invalid"; readonly why: string };

export type TokenRole = "viewer" | "operator" | "admin";

const tokenRoles: readonly TokenRole[] = ["admin", "operator", "viewer"];

/** Signatures by a private key: who can check a token must not be able to make one. */
const algorithms = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

/** The issuer's keys (RFC 7517), fetched when they are first asked for, and again when one is new. */
export function remoteKeys(url: string): JWTVerifyGetKey {
  return createRemoteJWKSet(new URL(url), { timeoutDuration: issuerKeysMsMax });
}

/**
 * Checks a token (RFC 7519): its signature, issuer, audience and times, and that it says who it is
 * for and as what. Throws when the issuer's keys can't be had: that is no fault of the token.
 */
export async function checkToken(
  token: string,
  {
    keys,
    policy,
    now,
  }: { readonly policy: JwtPolicy; readonly keys: JWTVerifyGetKey; readonly now: Date },
): Promise<JwtOutcome> {
  const { audience, issuer, roleClaim } = policy;
  try {
    const { payload } = await jwtVerify(token, keys, {
      ...{ issuer, audience, algorithms, currentDate: now },
      clockTolerance: clockToleranceSecondsMax,
      requiredClaims: ["exp", "sub"],
    });
    const role = roleOf(payload, roleClaim);
    if (payload.sub === undefined || payload.sub === "")
      return { kind: "invalid", why: "no subject" };
    if (role === undefined) return { kind: "invalid", why: `no role in ${roleClaim}` };
    return { kind: "valid", subject: payload.sub, role };
  } catch (error) {
    if (isOfToken(error)) return { kind: "invalid", why: error.message };
    throw error;
  }
}

/** The strongest, where there are several. */
function roleOf(payload: JWTPayload, claim: string): TokenRole | undefined {
  const found = payload[claim];
  const said: readonly unknown[] = Array.isArray(found) ? found : [found];
  return tokenRoles.find((role) => said.includes(role));
}

function isOfToken(error: unknown): error is errors.JOSEError {
  const isOfKeys =
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    // What a fetch that was answered with an error is, as it is no class of its own.
    (error instanceof errors.JOSEError && error.code === "ERR_JOSE_GENERIC");
  return error instanceof errors.JOSEError && !isOfKeys;
}
