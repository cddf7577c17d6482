import { epoch, incarnationId, slot, topicId } from "@millrace/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../crc32c.ts";
import type { CheckpointDraft, CheckpointSlot, SlotSection } from "./checkpoint.ts";
import { decodeCheckpointFooter, decodeCheckpointIndex } from "./decode-checkpoint.ts";
import { encodeCheckpoint } from "./encode-checkpoint.ts";
import { CHECKPOINT_FOOTER_BYTES, CHECKPOINT_SLOTS_MAX } from "./layout.ts";
import { decodeSlotSection, encodeSlotSection, slotSectionBytes } from "./slot-section.ts";

const incarnation = incarnationId(`0042-${"0123456789abcdef".repeat(2)}`);
const nonce = new Uint8Array(16).fill(5);

const part = fc.record({
  checkpoint: fc.maxSafeNat(),
  position: fc.nat(),
  tailBytes: fc.integer({ min: 1, max: 1000 }),
  batchesBytes: fc.nat(),
  offsets: fc.integer({ min: 1, max: 1000 }),
  maxTimestamp: fc.integer({ min: -1 }),
  epochs: fc.uniqueArray(fc.nat(), { maxLength: 3 }),
});

const section: fc.Arbitrary<SlotSection> = fc
  .record({
    slot: fc.nat(65_535),
    epoch: fc.nat(),
    partitions: fc.array(
      fc.record({
        topic: fc.stringMatching(/^[0-9a-f]{31}$/),
        partition: fc.nat(),
        from: fc.nat(),
        parts: fc.array(part, { maxLength: 4 }),
      }),
      { maxLength: 4 },
    ),
  })
  .map((raw) => ({
    slot: slot(raw.slot),
    epoch: epoch(raw.epoch),
    partitions: raw.partitions.map(({ topic, partition, from, parts }) => {
      let next = from;
      const laid = parts.map(({ tailBytes, offsets, epochs, ...rest }) => {
        const baseOffset = next;
        next += offsets;
        const sorted = epochs.toSorted((a, b) => a - b);
        const leaderEpochs = sorted.map((value, i) => ({ epoch: value, startOffset: from + i }));
        const bytes = rest.batchesBytes + tailBytes;
        return { ...rest, bytes, baseOffset, nextOffset: next, leaderEpochs };
      });
      return { topicId: topicId(`${topic}1`), partition, parts: laid };
    }),
  }));

function lineOf({ slot: of, epoch: at }: SlotSection, bytes: Uint8Array): CheckpointSlot {
  const place = { checkpoint: 3, position: 0, bytes: bytes.length };
  return { slot: of, epoch: at, ...place, crc: crc32c(bytes) };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const bytes of parts) {
    whole.set(bytes, at);
    at += bytes.length;
  }
  return whole;
}

function draftOf(sections: readonly SlotSection[], other: Partial<CheckpointDraft> = {}) {
  const encoded = sections.map((each) => ({
    slot: each.slot,
    epoch: each.epoch,
    bytes: encodeSlotSection(each),
  }));
  const imageParts = [new Uint8Array(300).fill(1), new Uint8Array(41).fill(2)];
  const draft = { incarnation, number: 8, nonce, imageParts, sections: encoded, carried: [] };
  return { ...draft, ...other };
}

describe("a slot section", () => {
  it("comes back as it was written", () => {
    const property = fc.property(section, (written) => {
      const bytes = encodeSlotSection(written);
      expect(bytes.length).toBe(slotSectionBytes(written));
      const read = decodeSlotSection(bytes, lineOf(written, bytes), crc32c);
      expect(read).toEqual({ kind: "ok", section: written });
    });
    fc.assert(property);
  });

  it("is refused after any change of any one byte, and when it is cut off or of another slot", () => {
    const [written] = fc.sample(section, { numRuns: 1, seed: 11 });
    if (written === undefined) throw new Error("no sample");
    const bytes = encodeSlotSection(written);
    const line = lineOf(written, bytes);
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = new Uint8Array(bytes);
      changed[at] = (bytes[at] as number) ^ 0x10;
      const read = decodeSlotSection(changed, line, crc32c);
      expect(read).toEqual({ kind: "invalid", reason: "damaged" });
      const cut = decodeSlotSection(bytes.subarray(0, at), line, crc32c);
      expect(cut).toEqual({ kind: "invalid", reason: "otherLength" });
    }
    const other = decodeSlotSection(bytes, { ...line, epoch: epoch(line.epoch ^ 1) }, crc32c);
    expect(other).toEqual({ kind: "invalid", reason: "damaged" });
  });

  it("with a count that its bytes do not hold is damaged, whatever its CRC says", () => {
    const topic = topicId("1".repeat(32));
    const written = {
      slot: slot(1),
      epoch: epoch(1),
      partitions: [{ topicId: topic, partition: 0, parts: [] }],
    };
    for (const countAt of [12, 36]) {
      const bytes = encodeSlotSection(written);
      new DataView(bytes.buffer).setUint32(countAt, 0xffff_ffff);
      const read = decodeSlotSection(bytes, lineOf(written, bytes), crc32c);
      expect(read).toEqual({ kind: "invalid", reason: "damaged" });
    }
  });
});

describe("a checkpoint", () => {
  it("leads to its own sections, and carries on where the others' lie", () => {
    const property = fc.property(
      fc.uniqueArray(section, { selector: (each) => each.slot, maxLength: 5 }),
      fc.uniqueArray(fc.integer({ min: 65_536, max: 70_000 }), { maxLength: 5 }),
      (sections, others) => {
        const place = { checkpoint: 2, position: 70, bytes: 99, crc: 6 };
        const carried = others.map((of) => ({ slot: slot(of), epoch: epoch(1), ...place }));
        const encoded = encodeCheckpoint(draftOf(sections, { carried }), crc32c);
        const bytes = join(encoded.parts);
        expect(bytes.length).toBe(encoded.bytes);
        const read = decodeCheckpointIndex(bytes, { objectBytes: bytes.length, crc32c });
        if (read.kind !== "ok") throw new Error(JSON.stringify(read));
        const { footer, slots } = read.index;
        expect(footer).toMatchObject({ incarnation, number: 8, nonce, imagesBytes: 341 });
        expect(slots).toEqual(encoded.slots);
        expect(slots.length).toBe(sections.length + carried.length);
        for (const written of sections) {
          const line = slots.find((each) => each.slot === written.slot);
          if (line === undefined) throw new Error("a slot is missing");
          const found = bytes.subarray(line.position, line.position + line.bytes);
          const decoded = decodeSlotSection(found, line, crc32c);
          expect(decoded).toEqual({ kind: "ok", section: written });
        }
        for (const line of carried) expect(slots).toContainEqual(line);
      },
    );
    fc.assert(property, { numRuns: 40 });
  });

  it("is refused after any change of any one byte of its index and footer", () => {
    const sections = fc.sample(section, { numRuns: 2, seed: 4 });
    const whole = join(encodeCheckpoint(draftOf(sections), crc32c).parts);
    const tailBytes = sections.length * 32 + CHECKPOINT_FOOTER_BYTES;
    for (let at = whole.length - tailBytes; at < whole.length; at += 1) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const changed = new Uint8Array(70_000 + whole.length);
        changed.set(whole, 70_000);
        changed[70_000 + at] = (whole[at] as number) ^ flip;
        const read = decodeCheckpointIndex(changed, { objectBytes: whole.length, crc32c });
        expect(read.kind).toBe("invalid");
      }
    }
  });

  it("says how many of the last bytes it takes, with as many slots as there can be", () => {
    const carried = Array.from({ length: CHECKPOINT_SLOTS_MAX }, (_, i) => ({
      ...{ slot: slot(i), epoch: epoch(i), checkpoint: i % 8, position: i, bytes: 16, crc: i },
    }));
    const { parts, bytes } = encodeCheckpoint(draftOf([], { carried }), crc32c);
    const whole = join(parts);
    const reading = { objectBytes: bytes, crc32c };
    const tailBytes = CHECKPOINT_SLOTS_MAX * 32 + CHECKPOINT_FOOTER_BYTES;
    const ask = (length: number) => decodeCheckpointIndex(whole.subarray(bytes - length), reading);
    expect(ask(100)).toEqual({ kind: "short", needBytes: CHECKPOINT_FOOTER_BYTES });
    expect(ask(65_536)).toEqual({ kind: "short", needBytes: tailBytes });
    const read = ask(tailBytes);
    expect(read.kind === "ok" && read.index.slots.length).toBe(CHECKPOINT_SLOTS_MAX);
    const footer = decodeCheckpointFooter(whole.subarray(-CHECKPOINT_FOOTER_BYTES), reading);
    expect(footer.kind === "ok" && footer.footer.slotCount).toBe(CHECKPOINT_SLOTS_MAX);
    const more = [...carried, { ...carried[0], slot: slot(CHECKPOINT_SLOTS_MAX) }];
    const tooMany = { carried: more as readonly CheckpointSlot[] };
    expect(() => encodeCheckpoint(draftOf([], tooMany), crc32c)).toThrow(RangeError);
  });

  it("names no slot twice, and none whose section would lie outside it or in a later one", () => {
    const [first] = fc.sample(section, { numRuns: 1, seed: 2 });
    if (first === undefined) throw new Error("no sample");
    expect(() => encodeCheckpoint(draftOf([first, first]), crc32c)).toThrow(RangeError);
    const line = { slot: slot(1), epoch: epoch(1), position: 341, bytes: 20, crc: 0 };
    for (const checkpoint of [8, 9]) {
      const whole = join(
        encodeCheckpoint(draftOf([], { carried: [{ ...line, checkpoint }] }), crc32c).parts,
      );
      const read = decodeCheckpointIndex(whole, { objectBytes: whole.length, crc32c });
      expect(read).toEqual({ kind: "invalid", reason: "sectionsDamaged" });
    }
  });

  it("of another length than its parts have is refused", () => {
    const whole = join(encodeCheckpoint(draftOf([]), crc32c).parts);
    const read = decodeCheckpointIndex(whole, { objectBytes: whole.length + 1, crc32c });
    expect(read).toEqual({ kind: "invalid", reason: "otherLength" });
  });
});
