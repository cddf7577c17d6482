import { describe, expect, it } from "vitest";
import { httpEvent } from "./fixtures.ts";
import { gatewayPrincipal } from "./gateway-principal.ts";

const request = new Request("https://api.example/v1/whoami");

function principalOf(authorizer?: object): ReturnType<typeof gatewayPrincipal> {
  const at = { method: "GET", path: "/v1/whoami", headers: { authorization: "Bearer forged" } };
  const event = httpEvent(authorizer === undefined ? at : { ...at, authorizer });
  return gatewayPrincipal({ request, environment: { event } });
}

describe("who asks, by the gateway", () => {
  it("is whom the authorizer passed on", async () => {
    const passed = { kind: "apiKey", id: "key_1", role: "viewer" };
    expect(await principalOf({ lambda: passed })).toEqual({ kind: "principal", principal: passed });
  });

  it("is an admin, by the ARN, who signed with AWS credentials", async () => {
    const userArn = "arn:aws:sts::123456789012:assumed-role/deployer/ci";
    const principal = { kind: "iam", id: userArn, role: "admin" };
    expect(await principalOf({ iam: { userArn } })).toEqual({ kind: "principal", principal });
  });

  it.each([undefined, {}, { lambda: null }, { lambda: { kind: "jwt", id: "a" } }, { iam: {} }])(
    "is nobody with %j, whatever the headers say",
    async (authorizer) => {
      expect(await principalOf(authorizer)).toMatchObject({ kind: "unauthenticated" });
    },
  );
});
