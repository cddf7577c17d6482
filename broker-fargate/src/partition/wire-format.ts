import type { AppendFormat, TimestampSearch } from "@millrace/core";
import * as wire from "@millrace/wire";
import type { CodecSet, Crc32c } from "@millrace/wire";
import { recompress } from "../side-work/examine-batch.ts";
import type { Reencoding } from "../side-work/examine-batch.ts";
import { partitionLimits } from "./limits.ts";
import type { PartitionLimits } from "./limits.ts";

/** What partitions need of the wire format, with the process's codecs and CRC bound to it. */
export interface WireFormat extends AppendFormat {
  readonly crc32c: Crc32c;
  readonly findTimestamp: TimestampSearch;
  /** The CRC-32C of whole batches whose own CRCs hold, large ones without reading them. */
  readonly crcOfBatches: (records: Uint8Array) => number;
  /**
   * A batch whose records are right, with them compressed as `compression.type` wants; undefined
   * where the codec is missing. For those that `takesLong` and the validation let through: it holds
   * the event loop.
   */
  readonly reencode: (batch: Uint8Array, to: Reencoding) => Uint8Array | undefined;
}

const uncompressedId = 0;

export function wireFormat(deps: {
  readonly codecs: CodecSet;
  readonly crc32c: Crc32c;
  readonly limits?: PartitionLimits;
}): WireFormat {
  const { codecs, crc32c, limits = partitionLimits } = deps;
  const { decompressedBytesMax } = wire.recordLimits;
  const rules = { codecs, decompressedBytesMax };
  return {
    format: wire,
    crc32c,
    crcOfBatches: (records) => wire.crcOfBatches(records, crc32c),
    takesLong: (view, purpose) => {
      const bytes = wire.readBatchBytes(view, 0);
      if (purpose === "reencode") return bytes > limits.turnReencodedBytesMax;
      const isCompressed = wire.readCompressionId(view, 0) !== uncompressedId;
      return isCompressed && bytes > limits.turnCompressedBytesMax;
    },
    validateRecords: (bytes, at, asked) => {
      const { turnOpenedBytesMax, turnReencodedBytesMax } = limits;
      const turnBytesMax =
        asked.purpose === "reencode" ? turnReencodedBytesMax : turnOpenedBytesMax;
      const openedBytesMax = Math.min(turnBytesMax, asked.decompressedBytesMax);
      const inTurn = { ...asked, codecs, decompressedBytesMax: openedBytesMax };
      const check = wire.validateRecords(bytes, at, inTurn);
      const isCutOff = check.kind === "fault" && check.fault === "too-large";
      return isCutOff && openedBytesMax < asked.decompressedBytesMax ? "later" : check;
    },
    findTimestamp: (batch, target) => {
      const opened = wire.openBatch(batch, 0, rules);
      if (opened.kind === "fault") return "unreadable";
      const found = wire.findTimestamp(opened, target);
      return typeof found === "string" ? "unreadable" : found;
    },
    reencode: (batch, to) => {
      const opened = wire.openBatch(batch, 0, rules);
      return opened.kind === "fault" ? undefined : recompress(batch, opened, to, deps);
    },
  };
}
