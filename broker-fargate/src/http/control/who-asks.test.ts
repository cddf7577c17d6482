import type { Authenticated } from "@millrace/control-api";
import { describe, expect, it } from "vitest";
import { whoAsks } from "./who-asks.ts";

interface Asked {
  readonly url?: string;
  readonly from?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `waits` hears of each failure that is answered late. */
function asks(
  hasLogins: boolean,
  waits: () => void = () => undefined,
): (asked?: Asked) => Promise<Authenticated> {
  const principalOf = whoAsks({
    apiKeys: {
      verify: async (text) =>
        text === "mrk_right"
          ? { id: "key_1", name: "x", role: "operator", createdAt: "" }
          : undefined,
    },
    hasLogins,
    adminUser: "root",
    findUser: (name) => ({ name, credentials: new Map() }),
    checkPassword: async (_, { name, password }) => {
      if (password === "one too many") return "busy";
      return password === `${name}'s: password` ? "right" : "wrong";
    },
    failureDelay: async () => waits(),
    ownHosts: ["broker-1.local"],
  });
  return ({ from = "127.0.0.1", headers = {}, url = "http://127.0.0.1:8080/v1" } = {}) =>
    principalOf({
      request: new Request(url, { headers }),
      environment: { incoming: { socket: { remoteAddress: from } } },
    });
}

const basic = (text: string) => ({
  authorization: `Basic ${Buffer.from(text).toString("base64")}`,
});

describe("who asks without a login", () => {
  it.each(["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])(
    "from %s is an admin",
    async (from) => {
      expect(await asks(false)({ from })).toEqual({
        kind: "principal",
        principal: { kind: "local", id: "local", role: "admin" },
      });
    },
  );

  it.each(["10.0.0.7", "::ffff:10.0.0.7", "2001:db8::1", "1270.0.0.1"])(
    "from %s is nobody",
    async (from) => {
      expect((await asks(false)({ from })).kind).toBe("unauthenticated");
    },
  );

  it("is nobody where a listener asks for a login", async () => {
    expect((await asks(true)()).kind).toBe("unauthenticated");
  });

  it.each([
    ["http://localhost:8080/v1", "principal"],
    ["http://[::1]:8080/v1", "principal"],
    ["http://broker-1.local:8080/v1", "principal"],
    ["http://rebound.example.com:8080/v1", "refused"],
    ["http://localhost.example.com:8080/v1", "refused"],
  ])("at %s is %s", async (url, kind) => {
    expect((await asks(false)({ url })).kind).toBe(kind);
  });

  it.each([
    ["cross-site", "refused"],
    ["same-site", "refused"],
    ["same-origin", "principal"],
    ["none", "principal"],
  ])("from a page that is %s is %s", async (site, kind) => {
    expect((await asks(false)({ headers: { "sec-fetch-site": site } })).kind).toBe(kind);
  });
});

it.each(["forwarded", "x-forwarded-for", "x-real-ip", "via"])(
  "who comes through a proxy on this machine, by its %s, is not of this machine",
  async (name) => {
    const headers = { [name]: "203.0.113.7" };
    expect((await asks(false)({ headers })).kind).toBe("unauthenticated");
    const withKey = { ...headers, authorization: "Bearer mrk_right" };
    expect((await asks(false)({ headers: withKey })).kind).toBe("principal");
  },
);

describe("who asks with a login", () => {
  it("by an API key has its role, from wherever", async () => {
    const headers = { authorization: "bearer mrk_right" };
    expect(await asks(true)({ from: "10.0.0.7", headers })).toEqual({
      kind: "principal",
      principal: { kind: "apiKey", id: "key_1", role: "operator" },
    });
  });

  it("by a user is an admin if it is the configured one, otherwise a viewer", async () => {
    const admin = await asks(true)({ headers: basic("root:root's: password") });
    expect(admin).toMatchObject({ principal: { kind: "user", id: "root", role: "admin" } });
    const other = await asks(true)({ headers: basic("zoë:zoë's: password") });
    expect(other).toMatchObject({ principal: { kind: "user", id: "zoë", role: "viewer" } });
  });

  it("by another password is answered late, as Kafka's clients are", async () => {
    let waited = 0;
    const asking = asks(true, () => {
      waited += 1;
    });
    await asking({ headers: basic("root:guessed") });
    expect(waited).toBe(1);
    await asking({ headers: basic("root:root's: password") });
    expect(waited).toBe(1);
  });

  it.each([
    ["another key", { authorization: "Bearer mrk_wrong" }],
    ["no key", { authorization: "Bearer" }],
    ["another password", basic("root:guessed")],
    ["one password too many at once", basic("root:one too many")],
    ["no name", basic(":x")],
    ["no colon", basic("root")],
    ["no base64", { authorization: "Basic ***" }],
    ["another scheme", { authorization: "Digest x" }],
  ])("by %s is nobody, even on this machine", async (_, headers) => {
    expect(await asks(false)({ headers })).toMatchObject({
      kind: "unauthenticated",
      challenge: expect.stringContaining("Basic") as unknown,
    });
  });
});
