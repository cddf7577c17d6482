/** The typed SDK of Millrace, for any broker that speaks the protocol of Kafka 4.0 or later. */
export { Admin, type CreateTopicOptions, type PartitionLag } from "./admin/admin.ts";
export { bytes, type Codec, json, string } from "./codec.ts";
export {
  connect,
  type ConnectOptions,
  type Credential,
  MillraceClient,
  type SaslOptions,
} from "./connect.ts";
export { type AssignedPosition, Consumer, type PartitionFilter } from "./consumer/consumer.ts";
export type {
  ConsumeOptions,
  InvalidMessage,
  Position,
  RebalanceEvent,
  RunOptions,
} from "./consumer/options.ts";
export type { ControlPlaneOptions } from "./control/asking.ts";
export {
  ClusterControl,
  ControlCredentials,
  ControlGroups,
  ControlTopics,
} from "./control/cluster-control.ts";
export {
  ControlApiKeys,
  ControlClusters,
  ControlOperations,
  ControlPlane,
  controlPlane,
  type IfVersion,
  type WaitOptions,
} from "./control/control-plane.ts";
export { ControlPlaneError } from "./control/problem-error.ts";
export type {
  ApiKey,
  Cluster,
  ClusterChange,
  ClusterCredential,
  Connection,
  ControlGroup,
  ControlGroupSummary,
  ControlTopic,
  ControlTopicChange,
  ControlTopicSummary,
  CreatedApiKey,
  CreatedClusterCredential,
  GroupOffsetReset,
  NewApiKey,
  NewCluster,
  NewControlTopic,
  Operation,
  Principal,
  ResetGroupOffsets,
} from "./control/types.ts";
export {
  AuthenticationError,
  BrokerError,
  ConnectionError,
  MillraceError,
  type SdkErrorCode,
  ValidationError,
  type ValidationTarget,
} from "./errors.ts";
export { type HeadersInput, MessageHeaders } from "./headers.ts";
export type {
  KeyInput,
  KeyOutput,
  KeySide,
  Message,
  OutgoingMessage,
  TopicSchemas,
  ValueInput,
  ValueOutput,
  ValueSide,
} from "./message.ts";
export type { ProducerOptions } from "./producer/options.ts";
export type { RecordMetadata } from "./producer/placed-record.ts";
export { type Delivery, Producer } from "./producer/producer.ts";
export type {
  SchemaInput,
  SchemaOutput,
  StandardIssue,
  StandardResult,
  StandardSchema,
} from "./schema.ts";
export type { Abortable } from "./timing.ts";
export { Topic } from "./topic.ts";
export type { TopicRef } from "./topic-ref.ts";
export type {
  BrokerAddress,
  ClusterMetadata,
  ConfigEntry,
  ConfigResource,
  DescribedGroup,
  DescribedMember,
  ListedGroup,
  PartitionMetadata,
  PartitionOffset,
  TopicMetadata,
  TopicPartition,
} from "./transport/described.ts";
export type { Compression, Isolation } from "./transport/transport.ts";
