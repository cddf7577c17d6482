import { ErrorCode } from "@millrace/wire";
import { describe, expect, it } from "vitest";
import { contextOf } from "../../../test/fixtures/admin-client.ts";
import { describeClientQuotasHandler } from "./48-describe-client-quotas.ts";

const ask = (
  ...components: readonly { entityType: string; matchType: number; match: string | null }[]
) => describeClientQuotasHandler().handle({ components, strict: false }, contextOf(1));

const of = (entityType: string, matchType: number, match: string | null = null) => {
  return { entityType, matchType, match };
};

describe("quotas of clients", () => {
  it("are none, whoever is asked for", () => {
    for (const asked of [[], [of("user", 0, "alice")], [of("user", 2), of("client-id", 1)]]) {
      expect(ask(...asked)).toMatchObject({ errorCode: ErrorCode.NONE, entries: [] });
    }
  });

  it.each([
    ["no type", [of("", 0, "x")], ErrorCode.INVALID_REQUEST],
    ["a type twice", [of("user", 0, "x"), of("user", 1)], ErrorCode.INVALID_REQUEST],
    ["a type of its own", [of("team", 0, "x")], ErrorCode.UNSUPPORTED_VERSION],
    ["an exact match with nothing", [of("user", 0)], ErrorCode.INVALID_REQUEST],
    ["a default match with something", [of("user", 1, "x")], ErrorCode.INVALID_REQUEST],
    ["any match with something", [of("user", 2, "x")], ErrorCode.INVALID_REQUEST],
    ["a match that there is not", [of("user", 3)], ErrorCode.INVALID_REQUEST],
    ["addresses and users", [of("ip", 2), of("user", 2)], ErrorCode.INVALID_REQUEST],
  ])("are not described for %s", (_, components, errorCode) => {
    expect(ask(...components)).toMatchObject({ errorCode, entries: null });
  });
});
