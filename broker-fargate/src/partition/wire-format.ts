import type { AppendFormat, AppendRules, TimestampSearch } from "@millrace/core";
import * as wire from "@millrace/wire";
import type { Codec, CodecSet, Crc32c } from "@millrace/wire";

/** What partitions need of the wire format, with the process's codecs and CRC bound to it. */
export interface WireFormat extends AppendFormat {
  readonly crc32c: Crc32c;
  readonly findTimestamp: TimestampSearch;
  /** The CRC-32C of whole batches whose own CRCs hold, large ones without reading them. */
  readonly crcOfBatches: (records: Uint8Array) => number;
  /**
   * The batch with its records compressed as `compression.type` wants them; undefined where its
   * records cannot be read or the codec is missing. Holds the event loop while it works.
   */
  readonly reencode: (
    batch: Uint8Array,
    to: AppendRules["compressionType"],
  ) => Uint8Array | undefined;
}

export function wireFormat(deps: {
  readonly codecs: CodecSet;
  readonly crc32c: Crc32c;
}): WireFormat {
  const { codecs, crc32c } = deps;
  const { decompressedBytesMax } = wire.recordLimits;
  const rules = { codecs, decompressedBytesMax };
  return {
    format: wire,
    crc32c,
    crcOfBatches: (records) => wire.crcOfBatches(records, crc32c),
    validateRecords: (bytes, at, asked) => wire.validateRecords(bytes, at, { ...asked, codecs }),
    findTimestamp: (batch, target) => {
      const opened = wire.openBatch(batch, 0, rules);
      if (opened.kind === "fault") return "unreadable";
      const found = wire.findTimestamp(opened, target);
      return typeof found === "string" ? "unreadable" : found;
    },
    reencode: (batch, to) => {
      if (to === "producer") return batch;
      const codec = to === "uncompressed" ? undefined : codecs[to];
      if (to !== "uncompressed" && codec === undefined) return undefined;
      return rebuild(batch, codec, { ...rules, crc32c });
    },
  };
}

function rebuild(
  batch: Uint8Array,
  codec: Codec | undefined,
  rules: wire.OpenRules & { readonly crc32c: Crc32c },
): Uint8Array | undefined {
  const read = wire.readRecords(batch, 0, rules);
  if (read.kind === "fault") return undefined;
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  return wire.buildBatch(read.records, {
    crc32c: rules.crc32c,
    ...(codec === undefined ? {} : { codec }),
    baseOffset: wire.readBaseOffset(view, 0),
    producerId: wire.readProducerId(view, 0),
    producerEpoch: wire.readProducerEpoch(view, 0),
    baseSequence: wire.readBaseSequence(view, 0),
    isTransactional: wire.isTransactional(view, 0),
  });
}
