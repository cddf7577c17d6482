export { EncodedItems } from "./codec/encoded-items.ts";
export * from "./codec/errors.ts";
export * from "./codec/reader.ts";
export { type RecordBytes, recordBytesLength } from "./codec/sizes.ts";
export * from "./codec/uuid.ts";
export * from "./codec/writer.ts";
export * from "./errors.ts";
export * from "./generated/00-produce.ts";
export * from "./generated/01-fetch.ts";
export * from "./generated/02-list-offsets.ts";
export * from "./generated/03-metadata.ts";
export * from "./generated/08-offset-commit.ts";
export * from "./generated/09-offset-fetch.ts";
export * from "./generated/10-find-coordinator.ts";
export * from "./generated/11-join-group.ts";
export * from "./generated/12-heartbeat.ts";
export * from "./generated/13-leave-group.ts";
export * from "./generated/14-sync-group.ts";
export * from "./generated/15-describe-groups.ts";
export * from "./generated/16-list-groups.ts";
export * from "./generated/17-sasl-handshake.ts";
export * from "./generated/18-api-versions.ts";
export * from "./generated/19-create-topics.ts";
export * from "./generated/20-delete-topics.ts";
export * from "./generated/21-delete-records.ts";
export * from "./generated/22-init-producer-id.ts";
export * from "./generated/23-offset-for-leader-epoch.ts";
export * from "./generated/24-add-partitions-to-txn.ts";
export * from "./generated/25-add-offsets-to-txn.ts";
export * from "./generated/26-end-txn.ts";
export * from "./generated/27-write-txn-markers.ts";
export * from "./generated/28-txn-offset-commit.ts";
export * from "./generated/29-describe-acls.ts";
export * from "./generated/30-create-acls.ts";
export * from "./generated/31-delete-acls.ts";
export * from "./generated/32-describe-configs.ts";
export * from "./generated/33-alter-configs.ts";
export * from "./generated/34-alter-replica-log-dirs.ts";
export * from "./generated/35-describe-log-dirs.ts";
export * from "./generated/36-sasl-authenticate.ts";
export * from "./generated/37-create-partitions.ts";
export * from "./generated/38-create-delegation-token.ts";
export * from "./generated/39-renew-delegation-token.ts";
export * from "./generated/40-expire-delegation-token.ts";
export * from "./generated/41-describe-delegation-token.ts";
export * from "./generated/42-delete-groups.ts";
export * from "./generated/43-elect-leaders.ts";
export * from "./generated/44-incremental-alter-configs.ts";
export * from "./generated/45-alter-partition-reassignments.ts";
export * from "./generated/46-list-partition-reassignments.ts";
export * from "./generated/47-offset-delete.ts";
export * from "./generated/48-describe-client-quotas.ts";
export * from "./generated/49-alter-client-quotas.ts";
export * from "./generated/50-describe-user-scram-credentials.ts";
export * from "./generated/51-alter-user-scram-credentials.ts";
export * from "./generated/55-describe-quorum.ts";
export * from "./generated/57-update-features.ts";
export * from "./generated/60-describe-cluster.ts";
export * from "./generated/61-describe-producers.ts";
export * from "./generated/64-unregister-broker.ts";
export * from "./generated/65-describe-transactions.ts";
export * from "./generated/66-list-transactions.ts";
export * from "./generated/68-consumer-group-heartbeat.ts";
export * from "./generated/69-consumer-group-describe.ts";
export * from "./generated/71-get-telemetry-subscriptions.ts";
export * from "./generated/72-push-telemetry.ts";
export * from "./generated/74-list-config-resources.ts";
export * from "./generated/75-describe-topic-partitions.ts";
export * from "./generated/76-share-group-heartbeat.ts";
export * from "./generated/77-share-group-describe.ts";
export * from "./generated/78-share-fetch.ts";
export * from "./generated/79-share-acknowledge.ts";
export * from "./generated/80-add-raft-voter.ts";
export * from "./generated/81-remove-raft-voter.ts";
export * from "./generated/83-initialize-share-group-state.ts";
export * from "./generated/84-read-share-group-state.ts";
export * from "./generated/85-write-share-group-state.ts";
export * from "./generated/86-delete-share-group-state.ts";
export * from "./generated/87-read-share-group-state-summary.ts";
export * from "./generated/88-streams-group-heartbeat.ts";
export * from "./generated/89-streams-group-describe.ts";
export * from "./generated/90-describe-share-group-offsets.ts";
export * from "./generated/91-alter-share-group-offsets.ts";
export * from "./generated/92-delete-share-group-offsets.ts";
export * from "./generated/93-streams-group-topology-description-update.ts";
export * from "./generated/94-unregister-controller.ts";
export * from "./generated/apis.ts";
export * from "./generated/codecs.ts";
export * from "./generated/consumer-protocol.ts";
export * from "./generated/control-records.ts";
export {
  decodeResponseHeader,
  type RequestHeader,
  type RequestHeaderInput,
  type ResponseHeader,
  type ResponseHeaderInput,
} from "./generated/headers.ts";
export * from "./protocol.ts";

export * from "./journal/decode-object.ts";
export * from "./journal/encode-object.ts";
export * from "./journal/entry.ts";
export * from "./journal/fence.ts";

export type { ByteSink } from "./compression/byte-sink.ts";
export {
  type Codec,
  type CodecName,
  type CodecSet,
  type CompressionType,
  compressionIdOf,
  compressionTypeOf,
  DecompressError,
  type DecompressFailure,
} from "./compression/codec.ts";
export { jsCodecs } from "./compression/js-codecs.ts";
export { lz4Codec } from "./compression/lz4.ts";
export {
  compressFramed,
  planSnappy,
  snappyChunks,
  type SnappyChunk,
  snappyCodec,
  type SnappyEncoder,
  type SnappyPlan,
} from "./compression/snappy.ts";
export { combineCrc32c } from "./crc32c-combine.ts";
export { type Crc32c, crc32c } from "./crc32c.ts";
export {
  type BatchHeader,
  computeBatchCrc,
  hasDeleteHorizon,
  isControl,
  isTransactional,
  type MaxTimestamp,
  readAttributes,
  readBaseOffset,
  readBaseSequence,
  readBaseTimestamp,
  readBatchBytes,
  readBatchHeader,
  readBatchLength,
  readCompressionId,
  readCrc,
  readLastOffset,
  readLastOffsetDelta,
  readLastSequence,
  readMagic,
  readMaxTimestamp,
  readPartitionLeaderEpoch,
  readProducerEpoch,
  readProducerId,
  readRecordCount,
  readTimestampType,
  type TimestampType,
  writeBaseOffset,
  writeMaxTimestamp,
  writePartitionLeaderEpoch,
} from "./record/batch.ts";
export { batchFormat } from "./record/batch-format.ts";
export { crcOfBatches } from "./record/batches-crc.ts";
export { type BatchFields, buildBatch, type NewRecord } from "./record/batch-builder.ts";
export {
  buildEndTransactionMarker,
  type EndTransactionMarker,
  type MarkerBatch,
  readEndTransactionMarker,
} from "./record/control-record.ts";
export {
  BATCH_HEADER_BYTES,
  CRC_COVERS_FROM,
  LENGTH_OVERHEAD_BYTES,
  MAGIC_V2,
  NO_PARTITION_LEADER_EPOCH,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  NO_TIMESTAMP,
} from "./record/layout.ts";
export { KeyWalk, type KeyWalkColumns } from "./record/key-walk.ts";
export { recordLimits } from "./record/limits.ts";
export { type RecordFault, type RecordHeader, RecordReader } from "./record/record-reader.ts";
export { recompressBatch, type Recompression } from "./record/recompress.ts";
export { emptyBatch, type RetainedRecords, retainRecords } from "./record/retain-records.ts";
export {
  type ClosedBatch,
  findMaxTimestamp,
  findTimestamp,
  type OffsetAndTimestamp,
  type OpenBatch,
  openBatch,
  type OpenFault,
  type OpenRules,
  type ReadRecord,
  type ReadRecords,
  readRecords,
  timestampOf,
  type TimestampTarget,
} from "./record/records.ts";
export { type BatchSplit, splitBatches } from "./record/split-batches.ts";
export { type BatchFault, type BatchRules, validateBatch } from "./record/validate-batch.ts";
export {
  type RecordError,
  type RecordChecks,
  type RecordErrorReason,
  type RecordRules,
  type RecordsCheck,
  type UnsoundReason,
  validateOpened,
  validateRecords,
} from "./record/validate-records.ts";
export {
  JOURNAL_ALIGNMENT_BYTES,
  JOURNAL_HEADER_BYTES,
  JOURNAL_NONCE_BYTES,
} from "./journal/layout.ts";
export * from "./tier/checkpoint.ts";
export { decodeCheckpointFooter, decodeCheckpointIndex } from "./tier/decode-checkpoint.ts";
export { decodeImageFooter, decodeImageTail } from "./tier/decode-image.ts";
export { encodeCheckpoint } from "./tier/encode-checkpoint.ts";
export { encodeImageTail, imageTailBytes } from "./tier/encode-image.ts";
export type {
  InvalidTierObject,
  ShortTierObject,
  TierFault,
  TierReading,
} from "./tier/footer-end.ts";
export {
  type ImageBatch,
  ImageIndex,
  ImageIndexBuilder,
  type ImageIndexEntry,
} from "./tier/image-index.ts";
export type { ImageDraft, ImageFields, ImageFooter, ImageTail } from "./tier/image.ts";
export {
  CHECKPOINT_FOOTER_BYTES,
  CHECKPOINT_SLOTS_MAX,
  IMAGE_BATCHES_BYTES_MAX,
  IMAGE_FOOTER_BYTES,
  IMAGE_OFFSET_SPAN_MAX,
  SLOT_SECTION_BYTES_MAX,
  TAIL_READ_BYTES,
  TIER_NONCE_BYTES,
} from "./tier/layout.ts";
export type { PartEpoch } from "./tier/part-epochs.ts";
export {
  type DecodedSlotSection,
  decodeSlotSection,
  encodeSlotSection,
  slotSectionBytes,
} from "./tier/slot-section.ts";
