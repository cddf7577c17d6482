import type { MiddlewareHandler } from "hono";
import type { AppEnvironment } from "../app-type.ts";
import { ProblemError } from "../problems.ts";
import { isAtLeast, type Role } from "../principal.ts";

/** Lets in who has the role, or one that may do more. */
export function requireRole(least: Role): MiddlewareHandler<AppEnvironment> {
  return async (context, next) => {
    const { role } = context.get("principal");
    if (!isAtLeast(role, least)) {
      const detail = `this takes the role ${least}; the caller's is ${role}`;
      throw new ProblemError("forbidden", detail);
    }
    await next();
  };
}

/** The routes' part of the API's document that says the same. */
export function roleNote(least: Role): { readonly "x-millrace-role": Role } {
  return { "x-millrace-role": least };
}
