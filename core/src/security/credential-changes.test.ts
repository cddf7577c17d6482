import { inlineHashing } from "@millrace/adapter-memory";
import { describe, expect, it } from "vitest";
import { type AskedCredentialChange, changedUser, checkChange } from "./credential-changes.ts";
import { readUser, type User, userItem } from "./credentials.ts";
import {
  saltBytesMax,
  scramIterationsMax,
  scramIterationsMin,
  userNameCharactersMax,
} from "./limits.ts";

type Setting = Extract<AskedCredentialChange, { readonly kind: "set" }>;

const set = (over: Partial<Setting> = {}): Setting => ({
  kind: "set",
  ...{ code: 2, iterations: 4096, salt: Uint8Array.of(1) },
  saltedPassword: new Uint8Array(64),
  ...over,
});
const nobody: User = { name: "alice", credentials: new Map() };

function changed(before: User, asked: AskedCredentialChange, stamp: string): User {
  const checked = checkChange(before.name, asked);
  if (checked.kind !== "ok") throw new Error(checked.message);
  const outcome = changedUser(inlineHashing, before, checked.change, stamp);
  if (outcome.kind === "refused") throw new Error(outcome.message);
  return outcome.user;
}

describe("a change of a credential", () => {
  it.each([
    ["no name", "", set(), "unacceptable"],
    ["an unknown mechanism", "alice", set({ code: 3 }), "unknownMechanism"],
    ["a deletion by an unknown one", "alice", { kind: "delete", code: 0 }, "unknownMechanism"],
    ["no salt", "alice", set({ salt: new Uint8Array(0) }), "unacceptable"],
    ["a salted password of another hash", "alice", set({ code: 1 }), "unacceptable"],
  ] as const)("is refused for %s", (_, name, asked, reason) => {
    expect(checkChange(name, asked)).toMatchObject({ kind: "refused", reason });
  });

  it("takes as many iterations as Kafka does, and no more", () => {
    const verdict = (iterations: number): string => checkChange("a", set({ iterations })).kind;
    expect(verdict(scramIterationsMin - 1)).toBe("refused");
    expect(verdict(scramIterationsMin)).toBe("ok");
    expect(verdict(scramIterationsMax)).toBe("ok");
    expect(verdict(scramIterationsMax + 1)).toBe("refused");
  });

  it("takes names and salts up to a length", () => {
    const name = "é".repeat(userNameCharactersMax);
    expect(checkChange(name, set()).kind).toBe("ok");
    expect(checkChange(`${name}x`, set()).kind).toBe("refused");
    expect(checkChange("a", set({ salt: new Uint8Array(saltBytesMax) })).kind).toBe("ok");
    expect(checkChange("a", set({ salt: new Uint8Array(saltBytesMax + 1) })).kind).toBe("refused");
  });

  it("keeps the stamp with a new password, and not after a deletion", () => {
    const made = changed(nobody, set(), "first");
    const renewed = changed(made, set({ salt: Uint8Array.of(2) }), "second");
    expect(renewed.credentials.get("SCRAM-SHA-512")).toMatchObject({
      stamp: "first",
      keys: { salt: Uint8Array.of(2) },
    });
    const gone = changed(renewed, { kind: "delete", code: 2 }, "third");
    expect(gone.credentials.size).toBe(0);
    expect(changed(gone, set(), "fourth").credentials.get("SCRAM-SHA-512")?.stamp).toBe("fourth");
  });

  it("deletes only what is there", () => {
    const change = { kind: "delete", mechanism: "SCRAM-SHA-256" } as const;
    const made = changed(nobody, set(), "first");
    expect(changedUser(inlineHashing, made, change, "x")).toMatchObject({ reason: "absent" });
  });
});

describe("a user's item", () => {
  it("reads as it was written, and holds no password", () => {
    const saltedPassword = new Uint8Array(64).fill(7);
    const user = changed(nobody, set({ saltedPassword }), "first");
    const value = userItem(user);
    expect(readUser({ key: "user/alice", version: 3, value })).toEqual({ user, version: 3 });
    expect(JSON.stringify(value)).not.toContain(Buffer.from(saltedPassword).toString("base64"));
  });

  it.each([{}, { name: "a" }, { name: "a", credentials: { "SCRAM-SHA-256": { salt: 1 } } }])(
    "is refused when it is no user: %j",
    (value) => {
      expect(() => readUser({ key: "user/a", version: 1, value })).toThrow("user/a cannot be read");
    },
  );
});
