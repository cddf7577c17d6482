/**
 * Every error code of the protocol: its number, whether a client may send the same request again, and what it means.
 * The only table of its kind; codes are Kafka's, the words are ours.
 */
const table = {
  UNKNOWN_SERVER_ERROR: [-1, "final", "the broker met something unexpected"],
  NONE: [0, "final", ""],
  OFFSET_OUT_OF_RANGE: [1, "final", "the partition does not hold the offset asked for"],
  CORRUPT_MESSAGE: [2, "retriable", "a record batch does not match its checksum or its size"],
  UNKNOWN_TOPIC_OR_PARTITION: [3, "retriable", "this broker knows no such topic or partition"],
  INVALID_FETCH_SIZE: [4, "final", "the fetch size is not valid"],
  LEADER_NOT_AVAILABLE: [5, "retriable", "the partition has no leader at the moment"],
  NOT_LEADER_OR_FOLLOWER: [6, "retriable", "this broker does not hold the partition"],
  REQUEST_TIMED_OUT: [7, "retriable", "the request took longer than it may"],
  BROKER_NOT_AVAILABLE: [8, "final", "the broker is not available"],
  REPLICA_NOT_AVAILABLE: [9, "retriable", "the replica is not available"],
  MESSAGE_TOO_LARGE: [10, "final", "a record batch is larger than the topic allows"],
  STALE_CONTROLLER_EPOCH: [11, "final", "the controller's epoch is over"],
  OFFSET_METADATA_TOO_LARGE: [12, "final", "the metadata committed with an offset is too long"],
  NETWORK_EXCEPTION: [13, "retriable", "the connection ended before the answer"],
  COORDINATOR_LOAD_IN_PROGRESS: [14, "retriable", "the coordinator is still loading"],
  COORDINATOR_NOT_AVAILABLE: [15, "retriable", "there is no coordinator at the moment"],
  NOT_COORDINATOR: [16, "retriable", "this broker does not coordinate the group or transaction"],
  INVALID_TOPIC_EXCEPTION: [17, "final", "the topic's name is not valid, or the topic is internal"],
  RECORD_LIST_TOO_LARGE: [18, "final", "the batch is larger than a segment may be"],
  NOT_ENOUGH_REPLICAS: [19, "retriable", "too few replicas are in sync for the write"],
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: [20, "retriable", "written, but too few replicas were in sync"],
  INVALID_REQUIRED_ACKS: [21, "final", "acks must be -1, 0 or 1"],
  ILLEGAL_GENERATION: [22, "final", "the generation is not the group's present one"],
  INCONSISTENT_GROUP_PROTOCOL: [23, "final", "the member shares no protocol with the group"],
  INVALID_GROUP_ID: [24, "final", "the group id is not valid"],
  UNKNOWN_MEMBER_ID: [25, "final", "the group has no such member"],
  INVALID_SESSION_TIMEOUT: [26, "final", "the session timeout is outside of the broker's bounds"],
  REBALANCE_IN_PROGRESS: [27, "final", "the group is rebalancing: join again"],
  INVALID_COMMIT_OFFSET_SIZE: [28, "final", "the committed offset takes too much room"],
  TOPIC_AUTHORIZATION_FAILED: [29, "final", "not allowed on this topic"],
  GROUP_AUTHORIZATION_FAILED: [30, "final", "not allowed on this group"],
  CLUSTER_AUTHORIZATION_FAILED: [31, "final", "not allowed on the cluster"],
  INVALID_TIMESTAMP: [32, "final", "a record's timestamp is outside of the topic's bounds"],
  UNSUPPORTED_SASL_MECHANISM: [33, "final", "the broker does not offer this SASL mechanism"],
  ILLEGAL_SASL_STATE: [34, "final", "not the request that the SASL exchange expects"],
  UNSUPPORTED_VERSION: [35, "final", "the broker does not serve this version of the API"],
  TOPIC_ALREADY_EXISTS: [36, "final", "a topic of this name exists"],
  INVALID_PARTITIONS: [37, "final", "the number of partitions is not valid"],
  INVALID_REPLICATION_FACTOR: [38, "final", "the replication factor is not valid"],
  INVALID_REPLICA_ASSIGNMENT: [39, "final", "the replica assignment is not valid"],
  INVALID_CONFIG: [40, "final", "a configuration value is not valid"],
  NOT_CONTROLLER: [41, "retriable", "this broker is not the controller"],
  INVALID_REQUEST: [42, "final", "the request contradicts itself or the protocol"],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: [43, "final", "the record format does not support this"],
  POLICY_VIOLATION: [44, "final", "a policy of the cluster forbids this"],
  OUT_OF_ORDER_SEQUENCE_NUMBER: [
    45,
    "final",
    "the producer's sequence number does not follow the last",
  ],
  DUPLICATE_SEQUENCE_NUMBER: [46, "final", "the producer's sequence number was seen before"],
  INVALID_PRODUCER_EPOCH: [47, "final", "the producer's epoch is an old one"],
  INVALID_TXN_STATE: [48, "final", "the transaction is not in a state that allows this"],
  INVALID_PRODUCER_ID_MAPPING: [49, "final", "the producer id is not the transactional id's"],
  INVALID_TRANSACTION_TIMEOUT: [
    50,
    "final",
    "the transaction timeout is above the broker's maximum",
  ],
  CONCURRENT_TRANSACTIONS: [51, "retriable", "the transaction before is still being completed"],
  TRANSACTION_COORDINATOR_FENCED: [52, "final", "a newer transaction coordinator has taken over"],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: [53, "final", "not allowed on this transactional id"],
  SECURITY_DISABLED: [54, "final", "the broker has no authorizer"],
  OPERATION_NOT_ATTEMPTED: [
    55,
    "final",
    "not attempted, because another part of the request failed",
  ],
  KAFKA_STORAGE_ERROR: [56, "retriable", "the broker could not use its disk"],
  LOG_DIR_NOT_FOUND: [57, "final", "there is no such log directory"],
  SASL_AUTHENTICATION_FAILED: [58, "final", "authentication failed"],
  UNKNOWN_PRODUCER_ID: [59, "final", "the partition knows nothing of the producer any more"],
  REASSIGNMENT_IN_PROGRESS: [60, "final", "the partition is being reassigned"],
  DELEGATION_TOKEN_AUTH_DISABLED: [61, "final", "delegation tokens are not enabled"],
  DELEGATION_TOKEN_NOT_FOUND: [62, "final", "there is no such delegation token"],
  DELEGATION_TOKEN_OWNER_MISMATCH: [
    63,
    "final",
    "the delegation token belongs to another principal",
  ],
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: [
    64,
    "final",
    "not allowed over a connection authenticated this way",
  ],
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: [65, "final", "not allowed on this delegation token"],
  DELEGATION_TOKEN_EXPIRED: [66, "final", "the delegation token has expired"],
  INVALID_PRINCIPAL_TYPE: [67, "final", "the type of principal is not supported"],
  NON_EMPTY_GROUP: [68, "final", "the group has members"],
  GROUP_ID_NOT_FOUND: [69, "final", "there is no such group"],
  FETCH_SESSION_ID_NOT_FOUND: [70, "retriable", "the broker has no such fetch session"],
  INVALID_FETCH_SESSION_EPOCH: [71, "retriable", "the fetch session is at another epoch"],
  LISTENER_NOT_FOUND: [72, "retriable", "the leader has no listener of the name used here"],
  TOPIC_DELETION_DISABLED: [73, "final", "deletion of topics is disabled"],
  FENCED_LEADER_EPOCH: [
    74,
    "retriable",
    "the request's leader epoch is older than the partition's",
  ],
  UNKNOWN_LEADER_EPOCH: [
    75,
    "retriable",
    "the request's leader epoch is newer than the partition's",
  ],
  UNSUPPORTED_COMPRESSION_TYPE: [76, "final", "the client cannot read the partition's compression"],
  STALE_BROKER_EPOCH: [77, "final", "the broker's epoch is over"],
  OFFSET_NOT_AVAILABLE: [78, "retriable", "the new leader does not know its high watermark yet"],
  MEMBER_ID_REQUIRED: [79, "final", "join again with the member id given here"],
  PREFERRED_LEADER_NOT_AVAILABLE: [80, "retriable", "the preferred leader is not available"],
  GROUP_MAX_SIZE_REACHED: [81, "final", "the group has as many members as it may"],
  FENCED_INSTANCE_ID: [82, "final", "another member has taken over this instance id"],
  ELIGIBLE_LEADERS_NOT_AVAILABLE: [83, "retriable", "no replica may become the leader"],
  ELECTION_NOT_NEEDED: [84, "retriable", "the partition has the leader already"],
  NO_REASSIGNMENT_IN_PROGRESS: [85, "final", "the partition is not being reassigned"],
  GROUP_SUBSCRIBED_TO_TOPIC: [86, "final", "the group is subscribed to the topic"],
  INVALID_RECORD: [87, "final", "a record breaks a rule of its topic or of the format"],
  UNSTABLE_OFFSET_COMMIT: [88, "retriable", "an offset waits for its transaction to end"],
  THROTTLING_QUOTA_EXCEEDED: [89, "retriable", "the quota is used up: try again later"],
  PRODUCER_FENCED: [90, "final", "a newer producer has the same transactional id"],
  RESOURCE_NOT_FOUND: [91, "final", "there is no such resource"],
  DUPLICATE_RESOURCE: [92, "final", "the resource exists, or is named twice"],
  UNACCEPTABLE_CREDENTIAL: [93, "final", "the credential does not meet the requirements"],
  INCONSISTENT_VOTER_SET: [94, "final", "the set of voters is not the expected one"],
  INVALID_UPDATE_VERSION: [95, "final", "the update is not of the version expected"],
  FEATURE_UPDATE_FAILED: [96, "final", "a feature could not be updated"],
  PRINCIPAL_DESERIALIZATION_FAILURE: [97, "final", "the forwarded principal could not be read"],
  SNAPSHOT_NOT_FOUND: [98, "final", "there is no such snapshot"],
  POSITION_OUT_OF_RANGE: [99, "final", "the position lies outside of the snapshot"],
  UNKNOWN_TOPIC_ID: [100, "retriable", "this broker knows no topic of this id"],
  DUPLICATE_BROKER_REGISTRATION: [101, "final", "a broker of this id is registered"],
  BROKER_ID_NOT_REGISTERED: [102, "final", "no broker of this id is registered"],
  INCONSISTENT_TOPIC_ID: [103, "retriable", "the topic's id is another one"],
  INCONSISTENT_CLUSTER_ID: [104, "final", "the cluster's id is another one"],
  TRANSACTIONAL_ID_NOT_FOUND: [105, "final", "there is no such transactional id"],
  FETCH_SESSION_TOPIC_ID_ERROR: [
    106,
    "retriable",
    "the fetch session mixes topic names and topic ids",
  ],
  INELIGIBLE_REPLICA: [107, "final", "the replica may not join those in sync"],
  NEW_LEADER_ELECTED: [108, "final", "the change made another broker the leader"],
  OFFSET_MOVED_TO_TIERED_STORAGE: [109, "final", "the offset lies in tiered storage"],
  FENCED_MEMBER_EPOCH: [110, "final", "the member's epoch is not the group's for it: join again"],
  UNRELEASED_INSTANCE_ID: [111, "final", "another member still uses this instance id"],
  UNSUPPORTED_ASSIGNOR: [112, "final", "the group does not support this assignor"],
  STALE_MEMBER_EPOCH: [
    113,
    "final",
    "the member's epoch is an old one: try again after a heartbeat",
  ],
  MISMATCHED_ENDPOINT_TYPE: [114, "final", "the request was meant for another type of endpoint"],
  UNSUPPORTED_ENDPOINT_TYPE: [115, "final", "this type of endpoint is not supported"],
  UNKNOWN_CONTROLLER_ID: [116, "final", "no controller of this id is known"],
  UNKNOWN_SUBSCRIPTION_ID: [117, "final", "the telemetry subscription has changed"],
  TELEMETRY_TOO_LARGE: [118, "final", "the telemetry is larger than the broker takes"],
  INVALID_REGISTRATION: [119, "final", "the registration is not valid"],
  TRANSACTION_ABORTABLE: [
    120,
    "final",
    "the transaction must be aborted, and may then be tried again",
  ],
  INVALID_RECORD_STATE: [
    121,
    "final",
    "the record's delivery state does not allow the acknowledgement",
  ],
  SHARE_SESSION_NOT_FOUND: [122, "retriable", "the broker has no such share session"],
  INVALID_SHARE_SESSION_EPOCH: [123, "retriable", "the share session is at another epoch"],
  FENCED_STATE_EPOCH: [124, "final", "the share state's epoch is an old one"],
  INVALID_VOTER_KEY: [125, "final", "the voter's key is not this node's"],
  DUPLICATE_VOTER: [126, "final", "the voter is in the set already"],
  VOTER_NOT_FOUND: [127, "final", "the voter is not in the set"],
  INVALID_REGULAR_EXPRESSION: [128, "final", "the regular expression is not valid"],
  REBOOTSTRAP_REQUIRED: [129, "final", "the client must start again from its bootstrap addresses"],
  STREAMS_INVALID_TOPOLOGY: [130, "final", "the topology is not valid"],
  STREAMS_INVALID_TOPOLOGY_EPOCH: [131, "final", "the topology's epoch is not valid"],
  STREAMS_TOPOLOGY_FENCED: [132, "final", "the topology's epoch is an old one"],
  SHARE_SESSION_LIMIT_REACHED: [
    133,
    "retriable",
    "the broker has as many share sessions as it may",
  ],
  GROUP_DELETION_FAILED: [134, "final", "the group could not be deleted"],
  STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED: [
    135,
    "final",
    "the topology's description could not be stored",
  ],
  CONTROLLER_ID_NOT_REGISTERED: [136, "final", "no controller of this id is registered"],
} as const;

/** Kafka's name of an error. */
export type ErrorName = keyof typeof table;

/** The number of each error, by name. */
export const ErrorCode: { readonly [N in ErrorName]: (typeof table)[N][0] } = Object.fromEntries(
  Object.entries(table).map(([name, [code]]) => [name, code]),
) as { readonly [N in ErrorName]: (typeof table)[N][0] };

/** The number of an error, as responses carry it. */
export type ErrorCode = (typeof ErrorCode)[ErrorName];

/** What is known of one error. */
export interface KafkaError {
  readonly name: ErrorName;
  readonly code: ErrorCode;
  /** Whether a client may send the same request again and expect it to succeed. */
  readonly retriable: boolean;
  readonly message: string;
}

/** All errors, in the order of their codes. */
export const kafkaErrors: readonly KafkaError[] = Object.entries(table).map(
  ([name, [code, kind, message]]) => ({
    name: name as ErrorName,
    code,
    retriable: kind === "retriable",
    message,
  }),
);

const byCode: ReadonlyMap<number, KafkaError> = new Map(
  kafkaErrors.map((error) => [error.code, error]),
);

/** The error of a code; UNKNOWN_SERVER_ERROR for one that the table does not have. */
export function kafkaError(code: number): KafkaError {
  const error = byCode.get(code) ?? byCode.get(ErrorCode.UNKNOWN_SERVER_ERROR);
  if (error === undefined) throw new RangeError("the table of errors has no UNKNOWN_SERVER_ERROR");
  return error;
}
