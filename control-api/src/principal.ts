/**
 * Who asks, and what it may do. The principal comes from outside: on AWS from the gateway's
 * authorizer, in a broker's own process from the connection and the Authorization header.
 */

export const roles = ["viewer", "operator", "admin"] as const;
/** Each may do what the ones before it may. */
export type Role = (typeof roles)[number];

export const principalKinds = ["iam", "jwt", "apiKey", "user", "local"] as const;
/** `user`: logged in as a Kafka client does. `local`: of this machine, without a login. */
export type PrincipalKind = (typeof principalKinds)[number];

export interface Principal {
  readonly kind: PrincipalKind;
  /** Unique among those of its kind. */
  readonly id: string;
  readonly role: Role;
}

/** A request with what its server knows beside it (a gateway's event, a connection). */
export interface AskedRequest {
  readonly request: Request;
  readonly environment: unknown;
}

export type Authenticated =
  | { readonly kind: "principal"; readonly principal: Principal }
  /** Nobody, or with a credential that does not hold. `challenge`: of WWW-Authenticate (RFC 9110). */
  | { readonly kind: "unauthenticated"; readonly challenge: string; readonly detail: string }
  /** Whoever it is, the request is not to be served: from another site, say. */
  | { readonly kind: "refused"; readonly detail: string };

/** Throws MetadataError where it needs a store that does not answer. */
export type PrincipalOf = (asked: AskedRequest) => Promise<Authenticated>;

export function isAtLeast(role: Role, least: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(least);
}
