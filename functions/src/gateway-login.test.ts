import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWTVerifyGetKey,
  SignJWT,
  createLocalJWKSet,
} from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { login, type Logins } from "./gateway-login.ts";
import { checkToken, remoteKeys } from "./jwt-login.ts";
import { clockToleranceSecondsMax, credentialCharactersMax, issuerKeysMsMax } from "./limits.ts";
import { makeLog } from "./log.ts";

const policy = { issuer: "https://id.example", audience: "millrace", roleClaim: "role" };
const now = new Date("2026-11-21T10:00:00Z");
const lines: string[] = [];
const log = makeLog("info", (line) => lines.push(line));
const signing: { own?: CryptoKey; other?: CryptoKey; keys?: JWTVerifyGetKey } = {};

beforeAll(async () => {
  const own = await generateKeyPair("ES256", { extractable: true });
  const jwk = await exportJWK(own.publicKey);
  signing.own = own.privateKey;
  signing.other = (await generateKeyPair("ES256")).privateKey;
  signing.keys = createLocalJWKSet({ keys: [{ ...jwk, kid: "k1", alg: "ES256" }] });
});

interface Claims {
  readonly role?: unknown;
  readonly issuer?: string;
  readonly audience?: string;
  readonly subject?: string;
  readonly ends?: string;
  readonly by?: "own" | "other";
}

function token(claims: Claims = {}): Promise<string> {
  const { audience, by = "own", ends = "2026-11-21T10:05:00Z", issuer, role = "operator" } = claims;
  const key = signing[by];
  if (key === undefined) throw new Error("no key");
  return new SignJWT({ role })
    .setProtectedHeader({ alg: "ES256", kid: "k1" })
    .setIssuer(issuer ?? policy.issuer)
    .setAudience(audience ?? policy.audience)
    .setSubject(claims.subject ?? "alice")
    .setExpirationTime(new Date(ends))
    .sign(key);
}

function logins(): Logins {
  const keys = signing.keys ?? (() => Promise.reject(new Error("no keys")));
  return {
    key: async (text) => (text === "mrk_known" ? { id: "key_1", role: "viewer" } : undefined),
    token: (text) => checkToken(text, { keys, policy, now }),
    log,
  };
}

const refused = { isAuthorized: false };

describe("a login at the gateway", () => {
  it("passes an API key on with its role", async () => {
    const context = { kind: "apiKey", id: "key_1", role: "viewer" };
    expect(await login("Bearer mrk_known", logins())).toEqual({ isAuthorized: true, context });
    expect(await login("bearer  mrk_known", logins())).toMatchObject({ isAuthorized: true });
  });

  it.each([
    undefined,
    "",
    "Bearer",
    "Bearer ",
    "Basic bXJrX2tub3du",
    "mrk_known",
    "Bearer mrk_other",
    "Bearer a b",
  ])("refuses %j", async (header) => {
    expect(await login(header, logins())).toEqual(refused);
  });

  it("does not look at what is too long", async () => {
    const looked: string[] = [];
    const key = async (text: string): Promise<undefined> => void looked.push(text);
    expect(await login(`Bearer ${"x".repeat(credentialCharactersMax + 1)}`, { key, log })).toEqual(
      refused,
    );
    expect(looked).toEqual([]);
  });

  it("passes a token on by its subject, with the strongest of its roles", async () => {
    const context = { kind: "jwt", id: "alice", role: "operator" };
    expect(await login(`Bearer ${await token()}`, logins())).toEqual({
      isAuthorized: true,
      context,
    });
    const several = await token({ role: ["viewer", "admin", "owner"] });
    expect(await login(`Bearer ${several}`, logins())).toMatchObject({
      context: { role: "admin" },
    });
  });

  it.each<readonly [string, Claims]>([
    ["is over", { ends: "2026-11-21T09:59:00Z" }],
    ["is another issuer's", { issuer: "https://evil.example" }],
    ["is for others", { audience: "others" }],
    ["is signed with another key", { by: "other" }],
    ["has no role", { role: "owner" }],
    ["has no subject", { subject: "" }],
  ])("refuses a token that %s, and says why in the log alone", async (_what, claims) => {
    lines.length = 0;
    expect(await login(`Bearer ${await token(claims)}`, logins())).toEqual(refused);
    expect(lines.join("")).toContain('"event":"tokenRefused"');
  });

  it("refuses a token without a signature, and one that is signed by a secret", async () => {
    const part = (value: object): string =>
      Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = part({
      iss: policy.issuer,
      aud: policy.audience,
      sub: "a",
      role: "admin",
      exp: 9e9,
    });
    expect(await login(`Bearer ${part({ alg: "none" })}.${claims}.`, logins())).toEqual(refused);
    const bySecret = await new SignJWT({ role: "admin" })
      .setProtectedHeader({ alg: "HS256", kid: "k1" })
      .setIssuer(policy.issuer)
      .setAudience(policy.audience)
      .setSubject("a")
      .setExpirationTime("1h")
      .sign(new TextEncoder().encode("x".repeat(32)));
    expect(await login(`Bearer ${bySecret}`, logins())).toEqual(refused);
  });

  it("takes no token where no issuer is trusted", async () => {
    const { key } = logins();
    expect(await login(`Bearer ${await token()}`, { key, log })).toEqual(refused);
  });

  it("fails, and refuses nobody, where the issuer's keys can't be had", async () => {
    const keys: JWTVerifyGetKey = () => Promise.reject(new TypeError("fetch failed"));
    const broken = {
      ...logins(),
      token: (text: string) => checkToken(text, { keys, policy, now }),
    };
    await expect(login(`Bearer ${await token()}`, broken)).rejects.toThrow("fetch failed");
  });

  it("takes a token whose end is a moment ago, because clocks differ", async () => {
    const endedMs = (seconds: number): string =>
      new Date(now.getTime() - seconds * 1000).toISOString();
    const justOver = await token({ ends: endedMs(clockToleranceSecondsMax - 1) });
    expect(await login(`Bearer ${justOver}`, logins())).toMatchObject({ isAuthorized: true });
    const over = await token({ ends: endedMs(clockToleranceSecondsMax + 1) });
    expect(await login(`Bearer ${over}`, logins())).toEqual(refused);
  });

  it("does not wait for ever for an issuer's keys, and refuses nobody for it", async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    const keys = remoteKeys(`http://127.0.0.1:${port}/jwks.json`);
    const slow = { ...logins(), token: (text: string) => checkToken(text, { keys, policy, now }) };
    const startedMs = performance.now();
    await expect(login(`Bearer ${await token()}`, slow)).rejects.toThrow();
    expect(performance.now() - startedMs).toBeLessThan(issuerKeysMsMax * 3);
    silent.closeAllConnections();
    silent.close();
  });
});
