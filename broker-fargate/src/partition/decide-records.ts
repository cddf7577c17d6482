import { assert, decideAppend, decideReencoded } from "@millrace/core";
import type { AppendDecision, AppendState, Examine, TopicSettings } from "@millrace/core";
import type { ExamineAsk, Reencoding } from "../side-work/examine-batch.ts";
import { refusedBatch } from "./append.ts";
import type { AppendRequest, AppendResult } from "./append.ts";
import type { ExaminedBatch, RebuiltBatch } from "./examinations.ts";
import type { WireFormat } from "./wire-format.ts";

export type Accepted = Extract<AppendDecision, { readonly kind: "append" }>;
type Duplicate = Extract<AppendDecision, { readonly kind: "duplicate" }>;
type Invalid = Extract<AppendDecision, { readonly kind: "invalid" }>;

/** The records take longer to look at than a turn may: decide again with what was found. */
export interface ToExamine {
  readonly kind: "examine";
  readonly ask: ExamineAsk;
}

export interface ToDecide {
  readonly request: AppendRequest;
  /** Undefined: not yet. */
  readonly examined: ExaminedBatch | undefined;
}

const zstdId = 4;

/**
 * Decides a request, and goes on after compressing as `compression.type` wants: the same decision
 * whether its records were `examined` before or are looked at in this turn. What was examined must
 * have been under the same settings.
 */
export function decideRecords(
  { examined, request }: ToDecide,
  state: AppendState,
  settings: TopicSettings,
  wire: WireFormat,
): Accepted | Duplicate | Invalid | ToExamine {
  const { records } = request;
  if (request.zstd === "refused" && hasZstd(records, wire)) {
    return unsupported("zstd needs Produce v7 or later");
  }
  const known = examined === undefined ? wire : { ...wire, examined: examined.found };
  const decision = decideAppend(records, state, settings, known);
  if (decision.kind === "examine") return { kind: "examine", ask: askOf(decision, settings) };
  if (decision.kind !== "reencode") return decision;
  const rebuilt = examined?.rebuilt ?? rebuildNow(records, settings, wire);
  if (rebuilt === "unsupported") {
    return unsupported(`the records cannot be compressed as ${decision.to}`);
  }
  const { maxTimestamp } = decision;
  return decideReencoded({ ...rebuilt, maxTimestamp }, state, settings, wire);
}

function askOf({ rules }: Examine, settings: TopicSettings): ExamineAsk {
  const { purpose, ...checks } = rules;
  if (purpose === "check") return checks;
  return { ...checks, reencode: { ...reencodingOf(settings), bytesMax: settings.maxMessageBytes } };
}

function rebuildNow(
  records: Uint8Array,
  settings: TopicSettings,
  wire: WireFormat,
): RebuiltBatch | "unsupported" {
  const rebuilt = wire.reencode(records, reencodingOf(settings));
  if (rebuilt === undefined) return "unsupported";
  return { bytes: rebuilt.length, records: rebuilt };
}

/** How `compression.type` and the level of its codec want records. */
function reencodingOf(settings: TopicSettings): Reencoding {
  const { compressionType: to } = settings;
  switch (to) {
    case "gzip":
      return { to, level: settings.compressionGzipLevel };
    case "lz4":
      return { to, level: settings.compressionLz4Level };
    case "zstd":
      return { to, level: settings.compressionZstdLevel };
    default:
      assert(to !== "producer", "what the producer compressed is kept as it is");
      return { to };
  }
}

function unsupported(message: string): Invalid {
  return { kind: "invalid", reason: "unsupportedCompression", message, recordErrors: [] };
}

function hasZstd(records: Uint8Array, wire: WireFormat): boolean {
  if (records.length < wire.format.BATCH_HEADER_BYTES) return false;
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  return wire.format.readCompressionId(view, 0) === zstdId;
}

/** What the producer is told of an accepted append. */
export function appended(
  decision: Accepted,
  logStartOffset: number,
): Extract<AppendResult, { readonly kind: "appended" | "duplicate" }> {
  const first = decision.batches[0];
  const last = decision.batches.at(-1);
  assert(first !== undefined && last !== undefined, "an accepted append has a batch");
  const { baseOffset } = first;
  const { lastOffset } = last;
  const { logAppendTimeMs } = decision;
  return { kind: "appended", baseOffset, lastOffset, logAppendTimeMs, logStartOffset };
}

/** What it is told of one that is refused, or in the log already. */
export function notAppended(
  decision: Duplicate | Invalid,
  { messageTimestampType }: TopicSettings,
  logStartOffset: number,
): AppendResult {
  if (decision.kind === "invalid") return refusedBatch(decision);
  const { baseOffset, lastOffset, timestamp } = decision;
  const logAppendTimeMs = messageTimestampType === "CreateTime" ? -1 : timestamp;
  return { kind: "duplicate", baseOffset, lastOffset, logAppendTimeMs, logStartOffset };
}
