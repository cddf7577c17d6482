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
  const format: CompactionFormat = {
    ...wire.batchFormat,
    openRecords: (bytes, at) => {
      const open = wire.openBatch(bytes, at, rules);
      return open.kind === "fault" ? undefined : new OpenWireRecords(open);
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

class OpenWireRecords implements OpenRecords {
  readonly open: OpenBatch;
  readonly body: Uint8Array;
  readonly #reader: wire.RecordReader;

  constructor(open: OpenBatch) {
    this.open = open;
    this.body = open.body;
    this.#reader = new wire.RecordReader(open.body, open.recordCount);
  }

  next(): "record" | "end" | "damaged" {
    const step = this.#reader.next();
    return step === "record" || step === "end" ? step : "damaged";
  }

  get index(): number {
    return this.#reader.index;
  }

  get offset(): number {
    return this.open.baseOffset + this.#reader.offsetDelta;
  }

  get hasValue(): boolean {
    return this.#reader.valueBytes >= 0;
  }

  get keyAt(): number {
    return this.#reader.keyAt;
  }

  get keyBytes(): number {
    return this.#reader.keyBytes;
  }
}
