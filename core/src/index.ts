export * from "./assert.ts";
export * from "./ids.ts";
export * from "./lanes.ts";
export * from "./ports/clock.ts";
export * from "./ports/disk.ts";
export * from "./ports/metadata-store.ts";
export * from "./ports/metadata-store-rules.ts";
export * from "./ports/random.ts";
export { brokerConfigs } from "./config/broker-configs.ts";
export * from "./config/changes.ts";
export type { ConfigDefinition, ConfigType, ConfigUpdate } from "./config/definition.ts";
export * from "./config/group-configs.ts";
export * from "./config/layers.ts";
export * from "./config/settings.ts";
export * from "./config/topic-configs.ts";
export * from "./config/topic-settings.ts";
export * from "./config/value.ts";
export * from "./cluster/catalog.ts";
export * from "./cluster/format.ts";
export * from "./cluster/head.ts";
export * from "./cluster/keys.ts";
export * from "./cluster/leadership.ts";
export * from "./cluster/slots.ts";
export * from "./cluster/topic.ts";
export * from "./cluster/topic-name.ts";
export * from "./cluster/limits.ts";
export * from "./cluster/topic-changes.ts";
export * from "./log/append-decision.ts";
export type { RecordSettings, RecordsValidator } from "./log/append-records.ts";
export type { AppendRefusal, RecordFaultAt } from "./log/append-refusal.ts";
export * from "./log/batch-format.ts";
export * from "./log/log-config.ts";
export * from "./log/partition-log.ts";
export type { LogRead, ReadBuffers, ReadRange } from "./log/log-reader.ts";
export type { FoundRecord } from "./log/segment.ts";
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
