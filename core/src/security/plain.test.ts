import { describe, expect, it } from "vitest";
import { readPlain } from "./plain.ts";
import { utf8Bytes } from "./text-bytes.ts";

describe("the message of PLAIN", () => {
  it.each([
    ["\0alice\0secret", { user: "alice", password: "secret", authorizationId: "" }],
    ["bob\0alice\0a b=c,;", { user: "alice", password: "a b=c,;", authorizationId: "bob" }],
    ["\0zoë\0пароль", { user: "zoë", password: "пароль" }],
  ])("is read from %j", (message, wanted) => {
    expect(readPlain(utf8Bytes(message))).toMatchObject({ ok: true, ...wanted });
  });

  it.each([
    ["", /got 1/],
    ["\0alice", /got 2/],
    ["a\0b\0c\0d", /got 4/],
    ["a\0b\0c\0d\0e\0f", /got 4/],
    ["\0\0secret", /username not specified/],
    ["\0alice\0", /password not specified/],
  ])("is refused in Kafka's words: %j", (message, words) => {
    const read = readPlain(utf8Bytes(message));
    expect(read.ok ? "" : read.message).toMatch(words);
  });

  it("is refused when it is not UTF-8", () => {
    expect(readPlain(Uint8Array.of(0, 0x61, 0, 0xff))).toMatchObject({ ok: false });
  });
});
