import { viewOf } from "../log/batch-format.ts";
import { readInt64, writeInt64 } from "../log/int64.ts";
import type { Producer, RememberedBatch } from "./sequence.ts";
import { rememberedBatchesMax } from "./sequence.ts";

/**
 * Producers as bytes, least recent first. Big endian: count uint32; then per producer id int64,
 * epoch int16, last timestamp int64, first offset of the open transaction int64 (-1: none), number
 * of batches uint16, and per batch, oldest first, base sequence int32, last sequence int32, base
 * offset int64, last offset int64, timestamp int64.
 */
const countBytes = 4;
const producerBytes = 28;
const batchBytes = 32;

export function encodeProducers(producers: ReadonlyMap<number, Producer>): Uint8Array {
  let size = countBytes;
  for (const { batches } of producers.values()) size += producerBytes + batches.length * batchBytes;
  const bytes = new Uint8Array(size);
  const view = viewOf(bytes);
  view.setUint32(0, producers.size);
  let at = countBytes;
  for (const [id, producer] of producers) {
    writeInt64(view, at, id);
    view.setInt16(at + 8, producer.epoch);
    writeInt64(view, at + 10, producer.lastTimestamp);
    writeInt64(view, at + 18, producer.transactionFirstOffset);
    view.setUint16(at + 26, producer.batches.length);
    at += producerBytes;
    for (const batch of producer.batches) at = encodeBatch(view, at, batch);
  }
  return bytes;
}

/** Undefined for bytes of another shape. */
export function decodeProducers(bytes: Uint8Array): Map<number, Producer> | undefined {
  if (bytes.length < countBytes) return undefined;
  const view = viewOf(bytes);
  const count = view.getUint32(0);
  const producers = new Map<number, Producer>();
  let at = countBytes;
  for (let i = 0; i < count; i++) {
    if (at + producerBytes > bytes.length) return undefined;
    const batchCount = view.getUint16(at + 26);
    const end = at + producerBytes + batchCount * batchBytes;
    if (batchCount > rememberedBatchesMax || end > bytes.length) return undefined;
    producers.set(readInt64(view, at), decodeProducer(view, at, batchCount));
    at = end;
  }
  return at === bytes.length ? producers : undefined;
}

function encodeBatch(view: DataView, at: number, batch: RememberedBatch): number {
  view.setInt32(at, batch.baseSequence);
  view.setInt32(at + 4, batch.lastSequence);
  writeInt64(view, at + 8, batch.baseOffset);
  writeInt64(view, at + 16, batch.lastOffset);
  writeInt64(view, at + 24, batch.timestamp);
  return at + batchBytes;
}

function decodeProducer(view: DataView, at: number, batchCount: number): Producer {
  const batches: RememberedBatch[] = [];
  for (let i = 0; i < batchCount; i++) {
    batches.push(decodeBatch(view, at + producerBytes + i * batchBytes));
  }
  return {
    epoch: view.getInt16(at + 8),
    lastTimestamp: readInt64(view, at + 10),
    transactionFirstOffset: readInt64(view, at + 18),
    batches,
  };
}

function decodeBatch(view: DataView, at: number): RememberedBatch {
  return {
    baseSequence: view.getInt32(at),
    lastSequence: view.getInt32(at + 4),
    baseOffset: readInt64(view, at + 8),
    lastOffset: readInt64(view, at + 16),
    timestamp: readInt64(view, at + 24),
  };
}
