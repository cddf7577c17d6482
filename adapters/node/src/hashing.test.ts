import type { HashName, Hashing } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { inlineHashing } from "../../memory/src/hashing.ts";
import { nodeHashing } from "./hashing.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = (found: Uint8Array): string => Buffer.from(found).toString("hex");
const adapters: readonly (readonly [string, Hashing])[] = [
  ["node", nodeHashing],
  ["memory", inlineHashing],
];

describe.each(adapters)("the hashing of the %s adapter", (_, hashing) => {
  it("digests as FIPS 180-4 says", () => {
    expect(hex(hashing.digest("SHA-256", bytes("abc")))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    expect(hex(hashing.digest("SHA-512", bytes("abc"))).slice(0, 32)).toBe(
      "ddaf35a193617abacc417349ae204131",
    );
  });

  it("makes the codes of RFC 4231", () => {
    const [key, text] = [bytes("Jefe"), bytes("what do ya want for nothing?")];
    expect(hex(hashing.hmac("SHA-256", key, text))).toBe(
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    );
    expect(hex(hashing.hmac("SHA-512", key, text)).slice(0, 32)).toBe(
      "164b7a7bfcf819e2e395fbe73b56e0a3",
    );
  });

  it("stretches to as many bytes as the hash has, as RFC 7914 says", async () => {
    const secret = { password: bytes("passwd"), salt: bytes("salt"), iterations: 1 };
    const stretched = (name: HashName): Promise<Uint8Array> => hashing.stretch(name, secret);
    expect(hex(await stretched("SHA-256"))).toBe(
      "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
    );
    expect((await stretched("SHA-512")).length).toBe(64);
  });

  it("gives bytes of their own", async () => {
    const found = [
      hashing.digest("SHA-256", bytes("a")),
      hashing.hmac("SHA-256", bytes("k"), bytes("a")),
      await hashing.stretch("SHA-256", { password: bytes("p"), salt: bytes("s"), iterations: 1 }),
    ];
    for (const { buffer, length } of found) expect(buffer.byteLength).toBe(length);
  });
});
