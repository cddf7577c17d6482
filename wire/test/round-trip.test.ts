import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Reader } from "../src/codec/reader.ts";
import { Writer } from "../src/codec/writer.ts";
import { arbitraryMessage } from "./arbitrary-message.ts";
import { codecsOf, schemaFiles } from "./schemas.ts";

describe("a message of any version", () => {
  it.each(schemaFiles)("of $stem is the same after it was encoded and decoded", async (file) => {
    for (const [message, codec] of await codecsOf(file)) {
      for (const version of message.versions) {
        const property = fc.property(arbitraryMessage(message, version), (value) => {
          const writer = new Writer();
          codec.encode(writer, version, value);
          const bytes = writer.finishBytes();
          const reader = new Reader(bytes);
          expect(codec.decode(reader, version)).toEqual(value);
          expect(reader.remaining).toBe(0);
        });
        fc.assert(property, { numRuns: 40 });
      }
    }
  });
});
