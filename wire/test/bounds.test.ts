import { describe, expect, it } from "vitest";
import { DecodeError } from "../src/codec/errors.ts";
import { Reader } from "../src/codec/reader.ts";
import { Writer } from "../src/codec/writer.ts";
import { sampleMessage } from "./sample-message.ts";
import { type Codec, codecsOf, schemaFiles } from "./schemas.ts";

const fullSample = 2;

/** What decoding came to: it must be a value or a DecodeError. */
function outcome(codec: Codec, bytes: Uint8Array, version: number): "decoded" | "refused" {
  try {
    codec.decode(new Reader(bytes), version);
    return "decoded";
  } catch (error) {
    if (error instanceof DecodeError) return "refused";
    throw error;
  }
}

/** The full sample of the oldest, the newest and a middle version of every message in a file. */
async function encodedSamples(
  file: (typeof schemaFiles)[number],
): Promise<readonly { codec: Codec; version: number; bytes: Uint8Array; name: string }[]> {
  return [...(await codecsOf(file))].flatMap(([message, codec]) => {
    const { versions, name } = message;
    const middle = versions[versions.length >> 1];
    return [...new Set([versions[0], middle, versions.at(-1)])].flatMap((version) => {
      if (version === undefined) return [];
      const writer = new Writer();
      codec.encode(writer, version, sampleMessage(message, version, fullSample));
      return [{ codec, version, bytes: writer.finishBytes(), name }];
    });
  });
}

describe("a message that is not what it should be", () => {
  it.each(schemaFiles)("of $stem is refused when cut off anywhere", async (file) => {
    for (const { codec, version, bytes, name } of await encodedSamples(file)) {
      for (let length = 0; length < bytes.length; length += 1) {
        const cut = bytes.subarray(0, length);
        expect(outcome(codec, cut, version), `${name} v${version} to ${length}`).toBe("refused");
      }
    }
  });

  it.each(schemaFiles)("of $stem is decoded or refused whatever one byte says", async (file) => {
    for (const { codec, version, bytes } of await encodedSamples(file)) {
      const changed = bytes.slice();
      for (const [at, byte] of bytes.entries()) {
        for (const other of [0x00, 0x7f, 0xff]) {
          changed[at] = other;
          outcome(codec, changed, version);
        }
        changed[at] = byte;
      }
    }
  });

  it.each(schemaFiles)("of $stem in a version that does not exist is refused", async (file) => {
    for (const [message, codec] of await codecsOf(file)) {
      const beyond = (message.versions.at(-1) ?? 0) + 1;
      for (const version of [beyond, -1, (message.versions[0] ?? 0) - 1]) {
        expect(outcome(codec, new Uint8Array(64), version)).toBe("refused");
      }
    }
  });
});
