import type { CompactionFormat, CompactionTools, OpenRecords } from "@millrace/core";
import * as wire from "@millrace/wire";
import type { CodecSet, Crc32c, OpenBatch } from "@millrace/wire";

/** What compaction needs of the wire format, with the codecs and the CRC bound to it. */
export function compactionTools(deps: {
  readonly codecs: CodecSet;
  readonly crc32c: Crc32c;
}): CompactionTools {
  const { codecs, crc32c } = deps;
  const rules = { codecs, decompressedBytesMax: wire.recordLimits.decompressedBytesMax };
  const columns = newColumns();
  const format: CompactionFormat = {
    ...wire.batchFormat,
    openRecords: (bytes, at) => {
      const open = wire.openBatch(bytes, at, rules);
      return open.kind === "fault" ? undefined : new OpenWireRecords(open, columns);
    },
    retainRecords: (bytes, at, { records, kept, deleteHorizonMs }) => {
      if (!(records instanceof OpenWireRecords)) throw new TypeError("records of another format");
      const retained = { kept, deleteHorizonMs, codecs, crc32c };
      return wire.retainRecords(bytes, at, records.open, retained);
    },
    emptyBatch: (bytes, at) => wire.emptyBatch(bytes, at, crc32c),
    readMarker: (bytes, at) => {
      const read = wire.readRecords(bytes, at, rules);
      if (read.kind === "fault") return "none";
      const [record] = read.records;
      if (record === undefined) return "none";
      return wire.readEndTransactionMarker(record.key, record.value)?.result ?? "none";
    },
  };
  return { format, crc32c };
}

/** Records that are looked at together: what is known of them stays in the processor's caches. */
const recordsAtOnce = 512;

class OpenWireRecords implements OpenRecords {
  readonly open: OpenBatch;
  readonly body: Uint8Array;
  readonly keyAts: Int32Array;
  readonly keyBytes: Int32Array;
  readonly offsets: Float64Array;
  readonly hasValue: Uint8Array;
  count = 0;
  first = 0;
  readonly #walk: wire.KeyWalk;

  constructor(open: OpenBatch, columns: wire.KeyWalkColumns) {
    this.open = open;
    this.body = open.body;
    this.keyAts = columns.keyAts;
    this.keyBytes = columns.keyBytes;
    this.offsets = columns.offsets;
    this.hasValue = columns.hasValue;
    this.#walk = new wire.KeyWalk(open, columns);
  }

  next(): "records" | "end" | "damaged" {
    this.first += this.count;
    const found = this.#walk.next();
    this.count = found === "damaged" ? 0 : found;
    if (found === "damaged") return "damaged";
    return found === 0 ? "end" : "records";
  }
}

function newColumns(): wire.KeyWalkColumns {
  return {
    keyAts: new Int32Array(recordsAtOnce),
    keyBytes: new Int32Array(recordsAtOnce),
    offsets: new Float64Array(recordsAtOnce),
    hasValue: new Uint8Array(recordsAtOnce),
  };
}
