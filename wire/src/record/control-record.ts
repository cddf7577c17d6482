import type { Crc32c } from "../crc32c.ts";
import { buildBatch } from "./batch-builder.ts";

/**
 * Control records: the broker's own entries in a log. Their key names a type, and the value goes
 * with it. Source: KIP-98, "Control Messages".
 */

const KEY_VERSION = 0;
const VALUE_VERSION = 0;
const ABORT_TYPE = 0;
const COMMIT_TYPE = 1;
const KEY_BYTES = 4;
const VALUE_BYTES = 6;

/** How a transaction ended, as its marker says. */
export interface EndTransactionMarker {
  readonly result: "commit" | "abort";
  /** The epoch of the transaction coordinator that wrote the marker; older ones are refused. */
  readonly coordinatorEpoch: number;
}

/** A marker and where it goes. */
export interface MarkerBatch extends EndTransactionMarker {
  readonly crc32c: Crc32c;
  readonly baseOffset: number;
  readonly partitionLeaderEpoch: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}

/** The control batch of one marker. */
export function buildEndTransactionMarker(marker: MarkerBatch): Uint8Array {
  const key = new Uint8Array(KEY_BYTES);
  const keyView = new DataView(key.buffer);
  keyView.setInt16(0, KEY_VERSION);
  keyView.setInt16(2, marker.result === "commit" ? COMMIT_TYPE : ABORT_TYPE);
  const value = new Uint8Array(VALUE_BYTES);
  const valueView = new DataView(value.buffer);
  valueView.setInt16(0, VALUE_VERSION);
  valueView.setInt32(2, marker.coordinatorEpoch);
  const { crc32c, baseOffset, partitionLeaderEpoch, producerId, producerEpoch, timestamp } = marker;
  return buildBatch([{ key, value, timestamp }], {
    crc32c,
    baseOffset,
    partitionLeaderEpoch,
    producerId,
    producerEpoch,
    isTransactional: true,
    isControl: true,
  });
}

/**
 * Reads the marker in a control record. Undefined for control records of another type, and for
 * bytes that are none; later versions only append fields, so they are read too.
 */
export function readEndTransactionMarker(
  key: Uint8Array | null,
  value: Uint8Array | null,
): EndTransactionMarker | undefined {
  if (key === null || key.length < KEY_BYTES) return undefined;
  if (value === null || value.length < VALUE_BYTES) return undefined;
  const type = new DataView(key.buffer, key.byteOffset, key.length).getInt16(2);
  if (type !== ABORT_TYPE && type !== COMMIT_TYPE) return undefined;
  const coordinatorEpoch = new DataView(value.buffer, value.byteOffset, value.length).getInt32(2);
  return { result: type === COMMIT_TYPE ? "commit" : "abort", coordinatorEpoch };
}
