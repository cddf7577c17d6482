import { assert, decideAppend, decideReencoded } from "@millrace/core";
import type { AppendDecision, AppendState, TopicSettings } from "@millrace/core";
import type { AppendRequest, AppendResult } from "./append.ts";
import type { WireFormat } from "./wire-format.ts";

export type Accepted = Extract<AppendDecision, { readonly kind: "append" }>;

const zstdId = 4;

/** Decides a request, and goes on after compressing as `compression.type` wants. */
export function decideRecords(
  request: AppendRequest,
  state: AppendState,
  settings: TopicSettings,
  wire: WireFormat,
): Exclude<AppendDecision, { readonly kind: "reencode" }> {
  const { records } = request;
  if (request.zstd === "refused" && hasZstd(records, wire)) {
    return unsupported("zstd needs Produce v7 or later");
  }
  const decision = decideAppend(records, state, settings, wire);
  if (decision.kind !== "reencode") return decision;
  const rebuilt = wire.reencode(records, decision.to);
  if (rebuilt === undefined) {
    return unsupported(`the records cannot be compressed as ${decision.to}`);
  }
  return decideReencoded(rebuilt, state, settings, wire);
}

function unsupported(message: string): Extract<AppendDecision, { readonly kind: "invalid" }> {
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
