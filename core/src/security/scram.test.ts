import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { inlineHashing } from "@millrace/adapter-memory";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ScramMechanism } from "./mechanisms.ts";
import { readClientFirst } from "./scram-messages.ts";
import {
  beginExchange,
  endExchange,
  isPasswordOf,
  type ScramExchange,
  scramKeys,
  stretched,
} from "./scram.ts";
import { base64Bytes, utf8Bytes, utf8Text } from "./text-bytes.ts";

const text = utf8Bytes;

async function exchange(first: string, mechanism: ScramMechanism = "SCRAM-SHA-256") {
  const salt = base64Bytes("W22ZaJ0SNY7soEsUEjb6gQ==") ?? new Uint8Array(0);
  const secret = { password: "pencil", salt, iterations: 4096 };
  const saltedPassword = await stretched(inlineHashing, mechanism, secret);
  const keys = scramKeys(inlineHashing, mechanism, { ...secret, saltedPassword });
  const client = readClientFirst(text(first));
  if (client === undefined) throw new Error("not a first message");
  return beginExchange(mechanism, { client, keys, serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0" });
}

const end = (begun: ScramExchange, token: string): string | undefined => {
  const answer = endExchange(inlineHashing, begun, text(token));
  return answer === undefined ? undefined : utf8Text(answer);
};

describe("an exchange of SCRAM", () => {
  const nonce = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  const final = `c=biws,${nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`;

  it("is that of RFC 7677", async () => {
    const begun = await exchange("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    expect(begun.text).toBe(`${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`);
    expect(end(begun, final)).toBe("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  });

  it("takes a nonce with the client's own before it once more, as librdkafka's before 2.6.1", async () => {
    const own = "rOprNGfwEbeRWgbNEkqO";
    const begun = await exchange(`n,,n=user,r=${own}`);
    const withoutProof = `c=biws,${nonce.replace(own, own + own)}`;
    const said = text(`n=user,r=${own},${begun.text},${withoutProof}`);
    const salted = pbkdf2Sync("pencil", begun.keys.salt, 4096, 32, "sha256");
    const clientKey = createHmac("sha256", salted).update("Client Key").digest();
    const storedKey = createHash("sha256").update(clientKey).digest();
    const signature = createHmac("sha256", storedKey).update(said).digest();
    const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0))).toString(
      "base64",
    );
    expect(end(begun, `${withoutProof},p=${proof}`)).toMatch(/^v=/);
    const other = `${withoutProof}x,p=${proof}`;
    expect(end(begun, other)).toBeUndefined();
  });

  it.each([
    ["another nonce", final.replace("k0,p=", "k1,p=")],
    ["a nonce cut off", final.replace("$k0,p=", ",p=")],
    ["another proof", final.replace("dHz", "dHy")],
    ["a shorter proof", final.replace("VQ=", "").replace("p=dHzb", "p=")],
    ["no proof", final.split(",p=")[0] ?? ""],
    ["another channel binding", final.replace("biws", "eSws")],
    ["a proof that is not base64", `${final}*`],
    ["nothing", ""],
  ])("fails with %s", async (_, token) => {
    const begun = await exchange("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    expect(end(begun, token)).toBeUndefined();
  });

  it("fails with any other bytes, and throws for none", async () => {
    const begun = await exchange("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (token) => {
        expect(endExchange(inlineHashing, begun, token)).toBeUndefined();
      }),
    );
  });
});

describe("a client's first message", () => {
  it.each([
    ["n,,n=user,r=abc", { user: "user", authorizationId: "", nonce: "abc", header: "n,," }],
    ["y,,n=user,r=abc", { header: "y,,", bare: "n=user,r=abc" }],
    ["n,a=me,n=you,r=abc", { user: "you", authorizationId: "me", header: "n,a=me," }],
    ["n,,n=a=2Cb=3Dc,r=abc", { user: "a,b=c" }],
    ["n,,n=zoë,r=abc", { user: "zoë" }],
    ["n,,n=user,r=abc,ext=1", { user: "user", bare: "n=user,r=abc,ext=1" }],
  ])("is read from %j", (message, wanted) => {
    expect(readClientFirst(text(message))).toMatchObject(wanted);
  });

  it.each([
    "p=tls-unique,,n=user,r=abc",
    "n,,n=,r=abc",
    "n,,n=us=er,r=abc",
    "n,,n=user,r=",
    "n,,n=user,r=a b",
    "n,,m=x,n=user,r=abc",
    "n,,n=user,r=abc,m=x",
    "n,,n=token,r=abc,tokenauth=true",
    "n=user,r=abc",
    "",
  ])("is not read from %j", (message) => {
    expect(readClientFirst(text(message))).toBeUndefined();
  });

  it("is read or not, and never throws, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (token) => {
        const read = readClientFirst(token);
        expect(read === undefined || read.nonce.length > 0).toBe(true);
      }),
    );
  });
});

it.each(["SCRAM-SHA-256", "SCRAM-SHA-512"] as const)(
  "keys of %s are of the password that they were made of, and of no other",
  async (mechanism) => {
    const salt = text("salt");
    const made = async (password: string): Promise<Uint8Array> =>
      stretched(inlineHashing, mechanism, { password, salt, iterations: 4096 });
    const saltedPassword = await made("pässword");
    const keys = scramKeys(inlineHashing, mechanism, { saltedPassword, salt, iterations: 4096 });
    expect(isPasswordOf(inlineHashing, mechanism, { keys, saltedPassword })).toBe(true);
    const other = { keys, saltedPassword: await made("password") };
    expect(isPasswordOf(inlineHashing, mechanism, other)).toBe(false);
  },
);
