import { ApiKey, ErrorCode } from "@millrace/wire";
import { expect, test } from "vitest";
import { Coverage } from "./coverage.ts";
import { nameOf } from "./conversation.ts";

const served = [
  { apiKey: ApiKey.DescribeAcls, maxVersion: 1 },
  { apiKey: ApiKey.Heartbeat, maxVersion: 0 },
];
const [acls, heartbeat] = [nameOf(ApiKey.DescribeAcls, 1), nameOf(ApiKey.Heartbeat, 0)];

function missingAfter(answers: readonly (readonly [string, number])[]): readonly string[] {
  const coverage = new Coverage(served, 0);
  for (const [name, code] of answers) coverage.replied(name, { errorCodes: [code] });
  return coverage.missing();
}

test("an API is covered by an answer without an error, or by the refusal that is all it has", () => {
  expect(
    missingAfter([
      [acls, ErrorCode.SECURITY_DISABLED],
      [heartbeat, ErrorCode.UNKNOWN_MEMBER_ID],
      [heartbeat, ErrorCode.NONE],
    ]),
  ).toEqual([]);
});

test("an API that was left out, or only refused otherwise, is told of", () => {
  expect(missingAfter([[heartbeat, ErrorCode.UNKNOWN_MEMBER_ID]])).toEqual([
    "DescribeAcls v1 was never answered",
    "Heartbeat v0 was never answered without an error",
  ]);
  expect(missingAfter([[acls, ErrorCode.INVALID_REQUEST]])[0]).toBe(
    "DescribeAcls v1 was never answered with SECURITY_DISABLED",
  );
});
