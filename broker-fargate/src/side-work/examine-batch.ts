import type { AppendRules, Examined, PlainValue, SideTask } from "@millrace/core";
import * as wire from "@millrace/wire";
import type { CodecSet, Crc32c, OpenBatch } from "@millrace/wire";

/** Looks at one batch as a produce does: its CRC, its fields, its records; and compresses it anew. */
export const examineBatchName = "examine-batch";

/** What a batch is examined for. */
export type ExamineAsk = {
  readonly requireKeys: boolean;
  readonly decompressedBytesMax: number;
  readonly timestamps?: { readonly min: number; readonly max: number };
  /** Set where the topic wants another codec. */
  readonly reencode?: Reencoding & {
    /** What is compressed to more is not given back, only its size. */
    readonly bytesMax: number;
  };
};

export type Reencoding = {
  readonly to: Exclude<AppendRules["compressionType"], "producer">;
  /** The codec's own default where it is absent. */
  readonly level?: number;
};

export interface BatchTools {
  readonly codecs: CodecSet;
  readonly crc32c: Crc32c;
}

/** What the task says. The rebuilt batch is its outcome's bytes, where there is one. */
export type ExamineSaid = {
  readonly found: Examined;
  /** Of the batch compressed anew; absent where nobody asked, or its records are refused. */
  readonly rebuiltBytes?: number | "unsupported";
};

/** A client waits for it: urgency `reply`. The batch is copied: its frame is the caller's. */
export function examineBatchTask(tools: BatchTools): SideTask {
  return ({ bytes: [batch], told }) => {
    if (batch === undefined) throw new TypeError("there is no batch to examine");
    const { bytes, ...said } = examineBatch(batch, told as ExamineAsk, tools);
    return { says: said as unknown as PlainValue, bytes };
  };
}

/** Throws nothing that the batch's bytes could cause. */
function examineBatch(
  batch: Uint8Array,
  { reencode, ...rules }: ExamineAsk,
  tools: BatchTools,
): ExamineSaid & { readonly bytes: readonly Uint8Array[] } {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  const seal = { crc32c: tools.crc32c, origin: "client" } as const;
  const fault = wire.validateBatch(batch, view, 0, seal);
  if (fault !== "ok") return { found: { batch: fault }, bytes: [] };
  const opened = wire.openBatch(batch, 0, { ...rules, codecs: tools.codecs });
  const records = opened.kind === "fault" ? opened : wire.validateOpened(opened, rules);
  const found: Examined = { batch: "ok", records };
  const isReencoded = reencode !== undefined && records.kind === "ok" && opened.kind === "open";
  if (!isReencoded) return { found, bytes: [] };
  const rebuilt = recompress(batch, opened, reencode, tools);
  if (rebuilt === undefined) return { found, rebuiltBytes: "unsupported", bytes: [] };
  const isKept = rebuilt.length <= reencode.bytesMax;
  return { found, rebuiltBytes: rebuilt.length, bytes: isKept ? [rebuilt] : [] };
}

/** The batch, opened as `open`, with its records compressed anew. Undefined: there is no codec. */
export function recompress(
  batch: Uint8Array,
  open: OpenBatch,
  { level, to }: Reencoding,
  { codecs, crc32c }: BatchTools,
): Uint8Array | undefined {
  const codec = to === "uncompressed" ? undefined : codecs[to];
  if (to !== "uncompressed" && codec === undefined) return undefined;
  const how = { codec, crc32c };
  return wire.recompressBatch(batch, open, level === undefined ? how : { ...how, level });
}
