export * from "./assert.ts";
export * from "./ids.ts";
export * from "./json-text.ts";
export * from "./lanes.ts";
export * from "./side-queue.ts";
export * from "./ports/broker-driver.ts";
export * from "./ports/clock.ts";
export * from "./ports/cluster-stores.ts";
export * from "./ports/disk.ts";
export * from "./ports/hashing.ts";
export * from "./ports/metadata-store.ts";
export * from "./ports/metadata-store-rules.ts";
export * from "./ports/metadata-store-units.ts";
export * from "./ports/object-store.ts";
export * from "./ports/object-store-rules.ts";
export * from "./ports/random.ts";
export * from "./ports/side-work.ts";
export { brokerConfigs, ignoredFamilies } from "./config/broker-configs.ts";
export * from "./config/changes.ts";
export type { ConfigDefinition, ConfigType, ConfigUpdate } from "./config/definition.ts";
export * from "./config/group-configs.ts";
export * from "./config/layers.ts";
export * from "./config/settings.ts";
export type { MetadataStoreSettings, ObjectStoreSettings } from "./config/store-settings.ts";
export * from "./config/topic-configs.ts";
export * from "./config/topic-settings.ts";
export * from "./config/value.ts";
export * from "./cluster/catalog.ts";
export * from "./cluster/feature-updates.ts";
export * from "./cluster/features.ts";
export * from "./cluster/format.ts";
export * from "./cluster/evidence.ts";
export * from "./cluster/head.ts";
export * from "./cluster/heartbeat.ts";
export * from "./cluster/journal-item.ts";
export * from "./cluster/keys.ts";
export * from "./cluster/leadership.ts";
export * from "./cluster/leadership-changes.ts";
export * from "./cluster/leadership-item.ts";
export * from "./cluster/member.ts";
export * from "./cluster/spread.ts";
export * from "./cluster/version-item.ts";
export * from "./cluster/watch.ts";
export * from "./cluster/slots.ts";
export * from "./cluster/topic.ts";
export * from "./cluster/unreadable-item.ts";
export * from "./cluster/topic-name.ts";
export * from "./cluster/limits.ts";
export * from "./cluster/topic-changes.ts";
export * from "./log/append-decision.ts";
export type {
  Examine,
  Examined,
  RecordRules,
  RecordSettings,
  RecordsFound,
  RecordsValidator,
} from "./log/append-records.ts";
export type { AppendRefusal, RecordFaultAt } from "./log/append-refusal.ts";
export * from "./log/batch-format.ts";
export * from "./log/log-config.ts";
export * from "./log/log-options.ts";
export * from "./log/partition-log.ts";
export type { CleanedSegment } from "./log/cleaned-segment.ts";
export { decodeCleanedOffset, readCleanedOffset } from "./log/cleaned-offset.ts";
export { decodeCompactedGaps } from "./log/compacted-gaps.ts";
export type { CompactedSegment, LogCompaction } from "./log/log-compaction.ts";
export { finishReplacements } from "./log/replacement.ts";
export * from "./log/retention.ts";
export { lookAtLog } from "./log/retention-look.ts";
export * from "./log/retention-tiers.ts";
export { soundBytesOf } from "./log/sound-batches.ts";
export type { LogRead, ReadAhead, ReadBuffers, ReadPlace, ReadRange } from "./log/log-reader.ts";
export { totalBytes } from "./log/parts.ts";
export type { FoundRecord } from "./log/segment-rules.ts";
export type { SegmentFacts } from "./log/segment-facts.ts";
export {
  decodeIndexHeader,
  decodeIndexPoint,
  type IndexPoint,
  indexHeaderBytes,
  indexSegment,
  indexVersions,
  offsetEntryBytes,
  offsetIndexMagic,
  timeEntryBytes,
  timeIndexMagic,
} from "./log/index-entry.ts";
export { decodeLeaderEpochs } from "./log/leader-epochs.ts";
export { decodeSnapshot } from "./log/producer-snapshots.ts";
export { decodeProducers } from "./producer/snapshot.ts";
export type { LeaderEpochStart } from "./log/leader-epochs.ts";
export type { ColdPart } from "./tier/cold-part.ts";
export { ColdLog } from "./tier/cold-log.ts";
export * from "./tier/cold-cleanable.ts";
export { planRound, type RoundBounds, type UntieredTail } from "./tier/plan-round.ts";
export { planRest, planTail, type Tail, type TailPlan } from "./tier/plan-tail.ts";
export * from "./compaction/clean-batches.ts";
export * from "./compaction/cleanable.ts";
export * from "./compaction/compaction-format.ts";
export * from "./compaction/index-batches.ts";
export * from "./compaction/key-map.ts";
export { KeyMemory } from "./compaction/key-memory.ts";
export { hashSeedBytes } from "./compaction/key-hash.ts";
export * from "./compaction/segment-groups.ts";
export * from "./compaction/transactions.ts";
export * from "./producer/pending-producers.ts";
export * from "./producer/producer-state.ts";
export type {
  Producer,
  ProducerBatch,
  RememberedBatch,
  SequenceCheck,
  SequencedBatch,
} from "./producer/sequence.ts";
export {
  ClassicGroup,
  type GroupSnapshot,
  type GroupState,
  type MemberSnapshot,
} from "./group/classic-group.ts";
export {
  type CommittedOffset,
  GroupOffsets,
  offsetBytes,
  type OffsetKey,
  type StoredOffset,
  type StoredOffsets,
} from "./group/group-offsets.ts";
export { type CommitRefusal, checkCommit, heartbeat } from "./group/heartbeat.ts";
export { joinGroup } from "./group/join.ts";
export { leaveGroup } from "./group/leave.ts";
export { metadataFor } from "./group/member.ts";
export { expiredOffsets } from "./group/offset-expiry.ts";
export * from "./group/protocol.ts";
export { type Decision, joinTimedOut, memberTimedOut, syncTimedOut } from "./group/rebalance.ts";
export { isSubscribed, type Subscription, subscriptionOf } from "./group/subscription.ts";
export { syncGroup } from "./group/sync.ts";
export * from "./security/credential-changes.ts";
export * from "./security/credentials.ts";
export * from "./security/limits.ts";
export type {
  ListenerSecurity,
  PemSource,
  SaslSettings,
  TlsSettings,
} from "./security/listener-security.ts";
export * from "./security/mechanisms.ts";
export * from "./security/plain.ts";
export * from "./security/scram.ts";
export { type SeenUserDeletions, userWrites } from "./security/user-writes.ts";
export { type ClientFirst, readClientFirst } from "./security/scram-messages.ts";
export {
  base64Bytes,
  base64Text,
  isSameSecret,
  utf8Bytes,
  utf8Text,
} from "./security/text-bytes.ts";
