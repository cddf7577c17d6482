import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeFrame, FrameError, FrameReader, ValueCutter } from "./metadata-host-frames.ts";

const framesOf = (reader: FrameReader): readonly unknown[] => {
  const found: unknown[] = [];
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    found.push([frame.header, frame.values.toString("hex")]);
  }
  return found;
};

describe("a reader of frames", () => {
  it("gives back what was sent, wherever the stream is cut", () => {
    const message = fc.tuple(fc.jsonValue(), fc.array(fc.uint8Array({ maxLength: 20 })));
    const cuts = fc.infiniteStream(fc.integer({ min: 1, max: 40 }));
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), cuts, (messages, sizes) => {
        const sent = messages.map(([value, values]) => [
          JSON.parse(JSON.stringify({ value })) as unknown,
          Buffer.concat(values).toString("hex"),
        ]);
        const stream = Buffer.concat(
          messages.map(([value, values]) => encodeFrame({ value }, values)),
        );
        const reader = new FrameReader(10_000);
        const received: unknown[] = [];
        for (let at = 0; at < stream.length; ) {
          const size = sizes.next().value;
          reader.push(stream.subarray(at, at + size));
          received.push(...framesOf(reader));
          at += size;
        }
        expect(received).toEqual(sent);
        expect(reader.buffered).toBe(0);
      }),
    );
  });

  it("refuses a frame of more bytes than the limit before they are there", () => {
    const frame = encodeFrame({ text: "x".repeat(100) });
    const reader = new FrameReader(frame.length - 4);
    reader.push(frame);
    expect(framesOf(reader)).toHaveLength(1);
    reader.frameBytesMax = frame.length - 5;
    reader.push(frame.subarray(0, 4));
    expect(() => reader.next()).toThrow(FrameError);
  });

  it.each([
    ["a length that has no room for the header's", Buffer.from([0, 0, 0, 3, 0, 0, 0])],
    ["a header longer than its frame", Buffer.from([0, 0, 0, 6, 0, 0, 0, 3, 0x7b, 0x7d])],
    ["a header that is not JSON", Buffer.from([0, 0, 0, 5, 0, 0, 0, 1, 0x7b])],
  ])("refuses %s", (_, bytes) => {
    const reader = new FrameReader(1000);
    reader.push(bytes);
    expect(() => reader.next()).toThrow(FrameError);
  });
});

describe("a frame's values", () => {
  it("are as long together as the header says", () => {
    const cutter = new ValueCutter(Buffer.from("abc"));
    expect(cutter.take(2).toString()).toBe("ab");
    expect(() => cutter.end()).toThrow(FrameError);
    expect(() => cutter.take(2)).toThrow(FrameError);
    expect(cutter.take(1).toString()).toBe("c");
    cutter.end();
  });
});
