import fc from "fast-check";
import { expect, it } from "vitest";
import { pathBehindDoor } from "./gateway-path.ts";

it("is the same behind both doors", () => {
  for (const path of ["/v1/clusters", "/iam/v1/clusters"]) {
    expect(pathBehindDoor(path)).toBe("/v1/clusters");
  }
  for (const path of ["/iam", "/iam/v2/clusters", "/docs", "/v1/iam/v1"]) {
    expect(pathBehindDoor(path)).toBe(path);
  }
});

it("is nowhere, or what a URL of it says, whatever was sent", () => {
  const piece = fc.constantFrom("/", "\\", ".", "..", "%2e", "%2E", "v1", "iam", "a b", "\t", "é");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const path = pathBehindDoor(`/${pieces.join("")}`);
      const { pathname } = new URL(`https://api.example${path}`);
      if (path !== "/") expect(decodeURI(pathname)).toBe(decodeURI(path));
    }),
    { seed: 7, numRuns: 2_000 },
  );
});
