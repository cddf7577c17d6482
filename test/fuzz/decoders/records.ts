import { loadCodecs } from "@millrace/adapter-node";
import {
  BATCH_HEADER_BYTES,
  buildBatch,
  type Codec,
  type CodecSet,
  computeBatchCrc,
  crc32c,
  decodeFence,
  DecompressError,
  decodeJournalHeader,
  decodeJournalObject,
  encodeFence,
  encodeJournalObject,
  findMaxTimestamp,
  findTimestamp,
  jsCodecs,
  openBatch,
  readBatchBytes,
  readEndTransactionMarker,
  readRecords,
  splitBatches,
  validateBatch,
  validateRecords,
} from "@millrace/wire";
import { epoch, incarnationId, slot, topicId } from "@millrace/core";
import * as journal from "../../../wire/src/journal/layout.ts";
import type { Chance } from "../chance.ts";
import { joined } from "../mutate-bytes.ts";
import { type Decoder, valueOr } from "./decoder.ts";

/** Decompressed bytes of one input at most: far below what the broker takes, so that it is met. */
const outputBytesMax = 200_000;
const { codecs } = loadCodecs();
const codecSets: readonly (readonly [string, CodecSet])[] = [
  ["native", codecs],
  ["JavaScript", jsCodecs],
];
const text = new TextEncoder();

const records = Array.from({ length: 12 }, (_, index) => ({
  key: index % 3 === 0 ? null : text.encode(`key ${index}`),
  value: index % 5 === 0 ? null : text.encode(`value ${index} `.repeat(index)),
  timestamp: 1_700_000_000_000 + index * 7,
  headers: index % 2 === 0 ? [] : [{ key: "trace", value: index === 3 ? null : text.encode("x") }],
}));

function batches(set: CodecSet): readonly Uint8Array[] {
  const plain = { crc32c, producerId: 9, producerEpoch: 1, baseSequence: 4 };
  const compressed = Object.values(set).map((codec) => buildBatch(records, { ...plain, codec }));
  return [buildBatch(records, { crc32c }), buildBatch(records.slice(0, 1), plain), ...compressed];
}

/** Sometimes the length too: then only what lies inside is wrong. */
function sealBatch(bytes: Uint8Array, chance: Chance): void {
  if (bytes.length < BATCH_HEADER_BYTES) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (chance.perThousand(800)) view.setInt32(8, bytes.length - 12);
  if (readBatchBytes(view, 0) > bytes.length || readBatchBytes(view, 0) < BATCH_HEADER_BYTES)
    return;
  view.setUint32(17, computeBatchCrc(bytes, view, 0, crc32c));
}

function readBatch(
  bytes: Uint8Array,
  set: CodecSet,
  origin: "client" | "log",
): "value" | "refused" {
  const { starts } = splitBatches(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (validateBatch(bytes, view, 0, { crc32c, origin }) !== "ok") return "refused";
  if (starts[0] !== 0) throw new Error("a valid batch that is not found");
  const rules = { codecs: set, decompressedBytesMax: outputBytesMax };
  const checked = validateRecords(bytes, 0, { ...rules, requireKeys: false });
  const all = readRecords(bytes, 0, rules);
  const opened = openBatch(bytes, 0, rules);
  if (opened.kind === "open") {
    findMaxTimestamp(opened);
    findTimestamp(opened, { timestamp: 1_700_000_000_030, startOffset: 2 });
  }
  if (checked.kind === "ok" && all.kind !== "records") {
    throw new Error(`records that are valid can't be read: ${all.fault}`);
  }
  return checked.kind === "ok" ? "value" : "refused";
}

function batchDecoders(): readonly Decoder[] {
  return codecSets.flatMap(([name, set]) =>
    (["client", "log"] as const).map((origin) => ({
      name: `record batch, ${name} codecs, from a ${origin}`,
      samples: batches(set),
      read: (bytes: Uint8Array) => readBatch(bytes, set, origin),
      seal: sealBatch,
      outputBytesMax: 4 * outputBytesMax,
    })),
  );
}

/** Much, well compressed, beside ordinary bytes: what a bomb is made of. */
function compressible(): readonly Uint8Array[] {
  const some = text.encode("to be, or not to be, that is the question ".repeat(40));
  return [text.encode("x"), some, new Uint8Array(2 * outputBytesMax)];
}

function codecDecoders(): readonly Decoder[] {
  return codecSets.flatMap(([kind, set]) =>
    Object.values(set).map((codec: Codec) => ({
      name: `${codec.name}, ${kind}`,
      samples: compressible().map((bytes) => codec.compress(bytes).slice()),
      read: (bytes: Uint8Array) =>
        valueOr(DecompressError, () => {
          const output = codec.decompress(bytes, outputBytesMax);
          if (output.length > outputBytesMax) throw new Error(`${output.length} bytes of output`);
        }),
      outputBytesMax: 3 * outputBytesMax,
    })),
  );
}

function markerDecoder(): Decoder {
  const sample = Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0, 0, 7);
  return {
    name: "end transaction marker",
    samples: [sample],
    read: (bytes) => {
      const marker = readEndTransactionMarker(bytes.subarray(0, 4), bytes.subarray(4));
      return marker === undefined ? "refused" : "value";
    },
  };
}

function journalSamples(): readonly Uint8Array[] {
  const incarnation = incarnationId(`3-${"5a".repeat(16)}`);
  const place = { topicId: topicId("7b".repeat(16)), partition: 1, slot: slot(5), epoch: epoch(3) };
  const batch = buildBatch(records, { crc32c, baseOffset: 10 });
  const entries = [
    { ...place, kind: "journalFrom", baseOffset: 10, lastOffset: 9, parts: [] },
    { ...place, kind: "records", baseOffset: 10, lastOffset: 21, parts: [batch] },
  ] as const;
  const common = { incarnation, nonce: new Uint8Array(journal.NONCE_BYTES).fill(3), wallMs: 5 };
  return [entries, entries.slice(1), []].map((some, seq) =>
    joined(...encodeJournalObject({ ...common, seq, entries: some }, crc32c).parts),
  );
}

/** The CRCs of header, body and index; the lengths in the header say where they stand. */
function sealJournal(bytes: Uint8Array): void {
  if (bytes.length < journal.HEADER_BYTES) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerCrc = crc32c(bytes.subarray(0, journal.HEADER_CRC_AT));
  view.setUint32(journal.HEADER_CRC_AT, headerCrc);
  const indexAt = journal.HEADER_BYTES + view.getUint32(journal.BODY_BYTES_AT);
  const trailerAt = indexAt + journal.ENTRY_BYTES * view.getUint32(journal.ENTRY_COUNT_AT);
  if (trailerAt + journal.TRAILER_BYTES > bytes.length) return;
  const body = bytes.subarray(journal.HEADER_BYTES, indexAt);
  view.setUint32(trailerAt + journal.TRAILER_BODY_CRC_AT, crc32c(body));
  const index = bytes.subarray(indexAt, trailerAt + journal.TRAILER_INDEX_CRC_AT);
  view.setUint32(trailerAt + journal.TRAILER_INDEX_CRC_AT, crc32c(index, headerCrc));
}

function journalDecoder(): Decoder {
  return {
    name: "journal object",
    samples: journalSamples(),
    read: (bytes) => {
      const header = decodeJournalHeader(bytes, crc32c);
      const whole = decodeJournalObject(bytes, crc32c);
      if (whole.kind === "ok" && header.kind !== "ok") throw new Error("whole without a header");
      return whole.kind === "ok" ? "value" : "refused";
    },
    seal: sealJournal,
  };
}

function fenceDecoder(): Decoder {
  const incarnation = incarnationId(`3-${"5a".repeat(16)}`);
  const nonce = new Uint8Array(journal.NONCE_BYTES).fill(3);
  return {
    name: "fence",
    samples: [encodeFence({ incarnation, seq: 4, nonce, wallMs: 5 }, crc32c)],
    read: (bytes) => (decodeFence(bytes, crc32c).kind === "ok" ? "value" : "refused"),
    seal: (bytes) => {
      if (bytes.length < journal.FENCE_BYTES) return;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      view.setUint32(journal.FENCE_CRC_AT, crc32c(bytes.subarray(0, journal.FENCE_CRC_AT)));
    },
  };
}

export function recordDecoders(): readonly Decoder[] {
  const journalDecoders = [journalDecoder(), fenceDecoder()];
  return [...batchDecoders(), ...codecDecoders(), markerDecoder(), ...journalDecoders];
}
