import type { Authenticated, AskedRequest, Role } from "@millrace/control-api";

/** What the authorizer's function hands to the API, by the gateway. Texts, as a gateway passes them. */
export interface PassedPrincipal {
  readonly kind: "apiKey" | "jwt";
  readonly id: string;
  readonly role: Role;
}

interface GatewayContext {
  readonly authorizer?: {
    readonly lambda?: Partial<PassedPrincipal> | null;
    readonly iam?: { readonly userArn?: string } | null;
  };
}

/**
 * Who asks, as the gateway found: nothing that the caller could have written is looked at. Who came
 * through `/iam` is an admin: which paths and methods they may call is said by their IAM policy.
 */
export async function gatewayPrincipal({ environment }: AskedRequest): Promise<Authenticated> {
  const { event } = environment as { readonly event: { readonly requestContext: GatewayContext } };
  const { iam, lambda } = event.requestContext.authorizer ?? {};
  if (typeof iam?.userArn === "string") {
    return { kind: "principal", principal: { kind: "iam", id: iam.userArn, role: "admin" } };
  }
  const { id, kind, role } = lambda ?? {};
  if (id !== undefined && kind !== undefined && role !== undefined) {
    return { kind: "principal", principal: { kind, id, role } };
  }
  return {
    kind: "unauthenticated",
    challenge: "Bearer",
    detail: "The gateway passed nobody on.",
  };
}
