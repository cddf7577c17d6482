import {
  buildBatch,
  computeBatchCrc,
  jsCodecs,
  type NewRecord,
  readBatchHeader,
  validateBatch,
} from "@millrace/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { appendFormat, crc32c } from "../../../test/fixtures/partition-log.ts";
import { ProducerState } from "../producer/producer-state.ts";
import {
  type AppendDecision,
  type AppendFormat,
  type AppendRules,
  decideAppend,
  decideReencoded,
} from "./append-decision.ts";
import { viewOf } from "./batch-format.ts";

const nowMs = 1_700_000_000_000;
const hourMs = 3_600_000;
const noBound = Number.MAX_SAFE_INTEGER;

const rules: AppendRules = {
  maxMessageBytes: 10_000,
  recordValidation: "full",
  segmentBytes: 100_000,
  compressionType: "producer",
  messageTimestampType: "CreateTime",
  messageTimestampBeforeMaxMs: noBound,
  messageTimestampAfterMaxMs: hourMs,
  cleanupPolicy: { compact: false },
};

function record(changes: Partial<NewRecord> = {}): NewRecord {
  return { key: Uint8Array.of(1), value: Uint8Array.of(2, 3), timestamp: nowMs, ...changes };
}

function produced(records: readonly NewRecord[], fields: object = {}): Uint8Array {
  return buildBatch(records, { crc32c, ...fields });
}

function decide(
  records: Uint8Array,
  changes: Partial<AppendRules> = {},
  producers: ProducerState = ProducerState.empty(),
): AppendDecision {
  const state = { endOffset: 1000, leaderEpoch: 4, producers, nowMs };
  return decideAppend(records, state, { ...rules, ...changes }, appendFormat);
}

function reasonOf(decision: AppendDecision): string {
  return decision.kind === "invalid" ? decision.reason : decision.kind;
}

describe("an append", () => {
  test("gives the batch its offsets and epoch in place, and leaves the rest as it was", () => {
    const records = produced([record(), record(), record()], { codec: jsCodecs.lz4 });
    const before = readBatchHeader(records, 0);
    const decision = decide(records);
    if (decision.kind !== "append") throw new Error(decision.kind);
    expect(decision.records).toBe(records);
    expect(decision.logAppendTimeMs).toBe(-1);
    expect(decision.batches).toMatchObject([
      { baseOffset: 1000, lastOffset: 1002, leaderEpoch: 4, bytes: records.length },
    ]);
    expect(readBatchHeader(records, 0)).toEqual({
      ...before,
      baseOffset: 1000,
      partitionLeaderEpoch: 4,
    });
    expect(validateBatch(records, viewOf(records), 0, { crc32c, origin: "log" })).toBe("ok");
  });

  test("sets the time of the append where the topic wants it, under a CRC that holds", () => {
    const records = produced([record({ timestamp: 5 }), record({ timestamp: 9 })]);
    const decision = decide(records, { messageTimestampType: "LogAppendTime" });
    if (decision.kind !== "append") throw new Error(decision.kind);
    expect([decision.logAppendTimeMs, decision.batches[0]?.maxTimestamp]).toEqual([nowMs, nowMs]);
    expect(readBatchHeader(records, 0).timestampType).toBe("LogAppendTime");
    expect(validateBatch(records, viewOf(records), 0, { crc32c, origin: "log" })).toBe("ok");
  });

  test("asks for another codec where the topic has one of its own", () => {
    const plain = produced([record()]);
    const zipped = produced([record()], { codec: jsCodecs.lz4 });
    expect(decide(plain, { compressionType: "lz4" })).toEqual({
      ...{ kind: "reencode", to: "lz4", maxTimestamp: nowMs },
    });
    expect(decide(zipped, { compressionType: "uncompressed" }).kind).toBe("reencode");
    expect(decide(zipped, { compressionType: "lz4" }).kind).toBe("append");
    expect(decide(plain, { compressionType: "uncompressed" }).kind).toBe("append");
  });

  test("waits for a look at what takes long, and then decides by what was found", () => {
    const codec = jsCodecs.lz4;
    const batch = produced([record(), record()], { codec, baseOffset: 3 });
    const asked: string[] = [];
    const takesLong = (_: DataView, purpose: string): boolean => asked.push(purpose) > 0;
    const state = { endOffset: 1000, leaderEpoch: 4, producers: ProducerState.empty(), nowMs };
    const look = (changes: Partial<AppendRules>, format: Partial<AppendFormat>): AppendDecision =>
      decideAppend(batch, state, { ...rules, ...changes }, { ...appendFormat, ...format });
    const examine = { kind: "examine", rules: { purpose: "check", requireKeys: false } };
    expect(look({}, { takesLong })).toMatchObject(examine);
    expect(look({}, { validateRecords: () => "later" })).toMatchObject({
      reason: "invalidRecord",
    });
    expect(look({ recordValidation: "structure" }, { takesLong })).not.toMatchObject(examine);
    expect(look({ compressionType: "zstd" }, { takesLong }).kind).toBe("examine");
    expect(asked).toEqual(["check", "reencode"]);
    const badCrc = { batch: "bad-crc" } as const;
    expect(look({}, { takesLong, examined: badCrc })).toMatchObject({ reason: "corruptMessage" });
    const found = { kind: "ok", maxTimestamp: 77 } as const;
    const examined = { batch: "ok", records: found } as const;
    expect(look({}, { takesLong, examined })).toMatchObject({ reason: "invalidRecord" });
    const right = produced([record(), record()], { codec });
    const validateRecords = (): never => {
      throw new Error("looked at twice");
    };
    const known = { ...appendFormat, takesLong, examined, validateRecords };
    const decision = decideAppend(right, state, rules, known);
    expect(decision).toMatchObject({ kind: "append", batches: [{ maxTimestamp: 77 }] });
    const late = { ...appendFormat, validateRecords: () => "later" as const };
    expect(decideAppend(produced([record()]), state, rules, late).kind).toBe("examine");
  });

  test("changes no byte of a batch that it does not append", () => {
    const known = ProducerState.empty();
    const cases: readonly (readonly [Uint8Array, Partial<AppendRules>])[] = [
      [produced([record()]), { maxMessageBytes: 10 }],
      [produced([record({ timestamp: nowMs + 2 * hourMs })]), {}],
      [produced([record()]), { compressionType: "zstd" }],
      [produced([record({ key: null })]), { cleanupPolicy: { compact: true } }],
    ];
    for (const [records, changes] of cases) {
      const before = records.slice();
      expect(decide(records, changes, known).kind).not.toBe("append");
      expect(records).toEqual(before);
    }
  });

  test("is refused for what is no batch, not one batch, or too large a batch", () => {
    const one = produced([record()]);
    const two = new Uint8Array([...one, ...produced([record()])]);
    expect(reasonOf(decide(new Uint8Array(0)))).toBe("invalidRecord");
    expect(reasonOf(decide(one.subarray(0, 30)))).toBe("invalidRecord");
    expect(reasonOf(decide(one.subarray(0, -1)))).toBe("invalidRecord");
    expect(reasonOf(decide(two))).toBe("invalidRecord");
    expect(reasonOf(decide(one, { maxMessageBytes: one.length - 1 }))).toBe("recordTooLarge");
    expect(reasonOf(decide(one, { segmentBytes: one.length - 1 }))).toBe("recordListTooLarge");
    expect(reasonOf(decide(one, { maxMessageBytes: one.length }))).toBe("append");
    const trailing = decide(two.slice(0, -1));
    if (trailing.kind !== "append") throw new Error(trailing.kind);
    expect(trailing.records.length).toBe(one.length);
  });

  test("is refused for older formats and broken batches", () => {
    const old = produced([record()]);
    old[16] = 1;
    expect(reasonOf(decide(old))).toBe("unsupportedMagic");
    const broken = produced([record()]);
    broken[70] = (broken[70] ?? 0) ^ 1;
    expect(reasonOf(decide(broken))).toBe("corruptMessage");
    const short = produced([record()]);
    viewOf(short).setInt32(8, 10);
    expect(reasonOf(decide(short))).toBe("corruptMessage");
    expect(reasonOf(decide(produced([record()], { lastOffsetDelta: 3 })))).toBe("invalidRecord");
    expect(reasonOf(decide(produced([record()], { baseOffset: 3 })))).toBe("invalidRecord");
    expect(reasonOf(decide(produced([record()], { isControl: true })))).toBe("invalidRecord");
    const sequence = { producerId: 3, producerEpoch: 0 };
    expect(reasonOf(decide(produced([record()], sequence)))).toBe("invalidRecord");
  });

  test("is refused, with the records at fault, for timestamps out of bounds", () => {
    const late = [record(), record({ timestamp: nowMs + hourMs + 1 }), record()];
    expect(decide(produced(late))).toMatchObject({
      kind: "invalid",
      reason: "invalidTimestamp",
      recordErrors: [{ index: 1, reason: "timestamp" }],
    });
    expect(decide(produced(late), { messageTimestampAfterMaxMs: noBound }).kind).toBe("append");
    expect(decide(produced(late), { messageTimestampType: "LogAppendTime" }).kind).toBe("append");
    expect(decide(produced([record({ timestamp: nowMs + hourMs })])).kind).toBe("append");
    const early = [record(), record({ timestamp: nowMs - hourMs - 1 })];
    expect(decide(produced(early)).kind).toBe("append");
    expect(decide(produced(early), { messageTimestampBeforeMaxMs: hourMs })).toMatchObject({
      reason: "invalidTimestamp",
      recordErrors: [{ index: 1, reason: "timestamp" }],
    });
    const none = produced([record({ timestamp: -1 })]);
    expect(decide(none, { messageTimestampBeforeMaxMs: hourMs }).kind).toBe("append");
  });

  test("is refused on a compacted topic for records without a key", () => {
    const records = [record(), record({ key: null }), record({ key: null })];
    for (const codec of [undefined, jsCodecs.lz4]) {
      const batch = produced(records, codec === undefined ? {} : { codec });
      expect(decide(batch, { cleanupPolicy: { compact: true } })).toMatchObject({
        reason: "invalidRecord",
        recordErrors: [
          { index: 1, reason: "missing-key" },
          { index: 2, reason: "missing-key" },
        ],
      });
    }
  });

  test("is refused for records that no client could read, however they are compressed", () => {
    for (const codec of [undefined, jsCodecs.lz4]) {
      const fields = codec === undefined ? {} : { codec };
      const gap = produced([record(), record({ offsetDelta: 2 })], {
        ...fields,
        lastOffsetDelta: 1,
      });
      expect(decide(gap)).toMatchObject({
        reason: "invalidRecord",
        message: "record 1 is malformed: offset-delta",
        recordErrors: [],
      });
      const keyless = produced([record({ key: null }), record({ offsetDelta: 2 })], {
        ...fields,
        lastOffsetDelta: 1,
      });
      const compacted = decide(keyless, { cleanupPolicy: { compact: true } });
      expect(compacted).toMatchObject({ reason: "invalidRecord", recordErrors: [] });
    }
    const cut = { name: "lz4", id: 3, compress: () => Uint8Array.of(1, 2, 3) } as const;
    const corrupt = produced([record()], { codec: { ...jsCodecs.lz4, ...cut } });
    expect(reasonOf(decide(corrupt))).toBe("invalidRecord");
    expect(reasonOf(decide(corrupt, { compressionType: "zstd" }))).toBe("invalidRecord");
  });

  test("leaves compressed records closed where validation is of structure and nobody asks", () => {
    const bad = produced([record(), record({ offsetDelta: 2, key: null })], {
      codec: jsCodecs.lz4,
      lastOffsetDelta: 1,
    });
    const structure = { recordValidation: "structure" } as const;
    expect(reasonOf(decide(bad.slice(), structure))).toBe("append");
    const asking: readonly Partial<AppendRules>[] = [
      { cleanupPolicy: { compact: true } },
      { messageTimestampBeforeMaxMs: hourMs },
      { compressionType: "zstd" },
    ];
    for (const changes of asking) {
      expect(reasonOf(decide(bad, { ...structure, ...changes }))).toBe("invalidRecord");
    }
    const plain = produced([record(), record({ offsetDelta: 2 })], { lastOffsetDelta: 1 });
    expect(reasonOf(decide(plain, structure))).toBe("invalidRecord");
  });

  test("is refused for its size when it would grow beyond measure", () => {
    const codec = jsCodecs.lz4;
    const bomb = produced([record({ value: new Uint8Array(17_000_000) })], { codec });
    expect(reasonOf(decide(bomb, { maxMessageBytes: 100_000 }))).toBe("recordTooLarge");
    expect(reasonOf(decide(bomb, { maxMessageBytes: 1_100_000 }))).toBe("append");
  });

  test("corrects the largest timestamp and whose time it is, under a CRC that holds", () => {
    const wrong = produced([record({ timestamp: nowMs - 9 }), record({ timestamp: nowMs - 5 })], {
      timestampType: "LogAppendTime",
      logAppendTimestamp: 7,
    });
    const decision = decide(wrong);
    if (decision.kind !== "append") throw new Error(decision.kind);
    expect([decision.logAppendTimeMs, decision.batches[0]?.maxTimestamp]).toEqual([-1, nowMs - 5]);
    const { timestampType, maxTimestamp } = readBatchHeader(wrong, 0);
    expect([timestampType, maxTimestamp]).toEqual(["CreateTime", nowMs - 5]);
    expect(validateBatch(wrong, viewOf(wrong), 0, { crc32c, origin: "log" })).toBe("ok");
  });

  test("may not claim the time of its append where the broker gives it", () => {
    const claim = { timestampType: "LogAppendTime", logAppendTimestamp: nowMs };
    const records = produced([record(), record()], claim);
    expect(decide(records, { messageTimestampType: "LogAppendTime" })).toMatchObject({
      reason: "invalidTimestamp",
      recordErrors: [
        { index: 0, reason: "append-time" },
        { index: 1, reason: "append-time" },
      ],
    });
  });

  test("finds timestamps out of bounds that the header does not tell of", () => {
    const late = record({ timestamp: nowMs + hourMs + 1 });
    const hidden = produced([record(), late]);
    const view = viewOf(hidden);
    view.setBigInt64(35, BigInt(nowMs));
    view.setUint32(17, computeBatchCrc(hidden, view, 0, crc32c));
    expect(decide(hidden)).toMatchObject({
      reason: "invalidTimestamp",
      recordErrors: [{ index: 1, reason: "timestamp" }],
    });
    const both = produced([record({ key: null }), late]);
    expect(decide(both, { cleanupPolicy: { compact: true } })).toMatchObject({
      reason: "invalidTimestamp",
      recordErrors: [
        { index: 0, reason: "missing-key" },
        { index: 1, reason: "timestamp" },
      ],
    });
  });

  test("goes on after it was compressed anew, with its new size and its sequence", () => {
    const producers = ProducerState.empty();
    const made = (records: Uint8Array): Parameters<typeof decideReencoded>[0] => {
      return { records, bytes: records.length, maxTimestamp: nowMs };
    };
    const rebuilt = made(produced([record()], { codec: jsCodecs.lz4 }));
    const state = { endOffset: 1000, leaderEpoch: 4, producers, nowMs };
    const small = { ...rules, maxMessageBytes: rebuilt.bytes - 1 };
    for (const records of [rebuilt.records, undefined]) {
      const tooLarge = { ...rebuilt, records };
      expect(decideReencoded(tooLarge, state, small, appendFormat)).toMatchObject({
        reason: "recordTooLarge",
      });
    }
    const decision = decideReencoded(rebuilt, state, rules, appendFormat);
    expect(decision).toMatchObject({ kind: "append", batches: [{ baseOffset: 1000 }] });
    const gap = made(produced([record()], { producerId: 3, producerEpoch: 0, baseSequence: 0 }));
    const first = decideReencoded(gap, state, rules, appendFormat);
    if (first.kind !== "append") throw new Error(first.kind);
    for (const batch of first.batches) producers.apply(batch);
    expect(decideReencoded(gap, state, rules, appendFormat).kind).toBe("duplicate");
  });

  test("is decided by the producer's sequence", () => {
    const producers = ProducerState.empty();
    const sent = (baseSequence: number, producerEpoch = 1): Uint8Array =>
      produced([record(), record()], { producerId: 9, producerEpoch, baseSequence });
    const first = decide(sent(0), {}, producers);
    if (first.kind !== "append") throw new Error(first.kind);
    for (const batch of first.batches) producers.apply(batch);
    expect(decide(sent(0), {}, producers)).toEqual({
      kind: "duplicate",
      baseOffset: 1000,
      lastOffset: 1001,
      timestamp: nowMs,
    });
    expect(reasonOf(decide(sent(2), {}, producers))).toBe("append");
    expect(reasonOf(decide(sent(3), {}, producers))).toBe("outOfOrderSequence");
    expect(reasonOf(decide(sent(0, 0), {}, producers))).toBe("invalidProducerEpoch");
  });

  test("never throws, whatever the bytes are", () => {
    const good = produced([record(), record()], {
      producerId: 1,
      producerEpoch: 0,
      baseSequence: 0,
    });
    const edit = fc.record({ at: fc.nat(good.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 8 }), fc.nat(good.length + 5), (edits, length) => {
        const bytes = new Uint8Array(length);
        bytes.set(good.subarray(0, length));
        for (const { at, byte } of edits) if (at < length) bytes[at] = byte;
        // A CRC that holds lets damaged fields through to the checks behind it.
        if (length >= good.length)
          viewOf(bytes).setUint32(17, crc32c(bytes.subarray(21, good.length)));
        const compact = { cleanupPolicy: { compact: edits.length % 2 === 0 } };
        decide(bytes, { ...compact, messageTimestampBeforeMaxMs: hourMs });
      }),
      { numRuns: 2000 },
    );
  });

  test("tells bytes that are no batch from a batch that is not whole, as Kafka's reader does", () => {
    const whole = produced([record()]);
    expect(reasonOf(decide(new Uint8Array(16)))).toBe("invalidRecord");
    expect(reasonOf(decide(new Uint8Array(60)))).toBe("corruptMessage");
    expect(reasonOf(decide(new Uint8Array(60).fill(0xff)))).toBe("corruptMessage");
    const magic3 = whole.slice();
    magic3[16] = 3;
    expect(reasonOf(decide(magic3))).toBe("corruptMessage");
    const magic1 = whole.slice();
    magic1[16] = 1;
    expect(reasonOf(decide(magic1))).toBe("unsupportedMagic");
    const followed = (tail: Uint8Array): Uint8Array => Uint8Array.of(...whole, ...tail);
    expect(reasonOf(decide(followed(new Uint8Array(16))))).toBe("append");
    expect(reasonOf(decide(followed(whole.subarray(0, 40))))).toBe("append");
    expect(reasonOf(decide(followed(new Uint8Array(20))))).toBe("corruptMessage");
    expect(reasonOf(decide(followed(whole)))).toBe("invalidRecord");
  });

  test("refuses a timestamp past 2^53 as a timestamp", () => {
    const records = produced([record()]);
    const view = viewOf(records);
    view.setBigInt64(27, 1n << 60n);
    view.setBigInt64(35, 1n << 60n);
    view.setUint32(17, computeBatchCrc(records, view, 0, crc32c));
    expect(reasonOf(decide(records))).toBe("invalidTimestamp");
  });
});
