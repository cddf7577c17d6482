/** Requests that follow the protocol and ask for what nobody can mean. */
import { buildBatch, crc32c } from "@millrace/wire";
import type { WireClient } from "../../fixtures/wire-client.ts";
import { type Attack, expectEqual, mebibytes } from "../attack.ts";
import {
  alter,
  commit,
  createTopic,
  describePage,
  endOffset,
  fetch,
  firstTopicCode,
  grow,
  join,
  least,
  most,
  produce,
  producerId,
  topicAsked,
} from "./absurd-asks.ts";

export interface AbsurdCase {
  readonly does: string;
  /** Error codes and what else matters, as one value. */
  readonly ask: (client: WireClient) => Promise<unknown>;
  readonly answer: unknown;
}

const farOffset = Number.MAX_SAFE_INTEGER;
const oneRecord = { key: null, value: new Uint8Array(1) };
const longName = "n".repeat(32_767);

const gotRecords = ["NONE", "NONE", "records"];
const manyProtocols = Array.from({ length: 10_000 }, (_, index) => ({
  name: `p${index}`,
  metadata: new Uint8Array(1),
}));

/** The answers are Apache Kafka 4.3.1's, but for those that docs/hardness.md names. */
export const absurdCases: readonly AbsurdCase[] = [
  {
    does: "CreateTopics with 2^31-1 partitions",
    ask: (client) => createTopic(client, topicAsked("huge", most)),
    answer: "POLICY_VIOLATION",
  },
  {
    does: "CreateTopics with -2^31 partitions",
    ask: (client) => createTopic(client, topicAsked("huge", least)),
    answer: "INVALID_PARTITIONS",
  },
  {
    does: "CreateTopics with a name of 32,767 characters",
    ask: (client) => createTopic(client, topicAsked(longName, 1)),
    answer: "INVALID_TOPIC_EXCEPTION",
  },
  {
    does: "CreateTopics with a config of 32,767 characters",
    ask: (client) =>
      createTopic(client, {
        ...topicAsked("long-config", 1),
        configs: [{ name: "retention.ms", value: longName }],
      }),
    answer: "INVALID_CONFIG",
  },
  {
    does: "CreatePartitions to 2^31-1",
    ask: (client) => grow(client, most),
    answer: "POLICY_VIOLATION",
  },
  {
    does: "CreatePartitions to -1",
    ask: (client) => grow(client, -1),
    answer: "INVALID_PARTITIONS",
  },
  {
    does: "Metadata of a topic of 32,767 characters",
    ask: (client) => firstTopicCode(client, longName),
    answer: "INVALID_TOPIC_EXCEPTION",
  },
  { does: "Fetch with maxBytes -1", ask: (c) => fetch(c, { maxBytes: -1 }), answer: gotRecords },
  {
    does: "Fetch with all bounds at 2^31-1",
    ask: (c) => fetch(c, { maxBytes: most, partitionMaxBytes: most, minBytes: 1 }),
    answer: gotRecords,
  },
  {
    does: "Fetch with partitionMaxBytes -2^31",
    ask: (c) => fetch(c, { partitionMaxBytes: least }),
    answer: gotRecords,
  },
  {
    does: "Fetch with negative waits and minBytes -1",
    ask: (c) => fetch(c, { maxWaitMs: least, minBytes: -1 }),
    answer: gotRecords,
  },
  {
    does: "Fetch of partition 2^31-1",
    ask: (c) => fetch(c, { partition: most }),
    answer: ["NONE", "UNKNOWN_TOPIC_OR_PARTITION", "none"],
  },
  {
    does: "Fetch of partition -1",
    ask: (c) => fetch(c, { partition: -1 }),
    answer: ["NONE", "UNKNOWN_TOPIC_OR_PARTITION", "none"],
  },
  {
    does: "Fetch from offset 2^53-1",
    ask: (c) => fetch(c, { fetchOffset: farOffset }),
    answer: ["NONE", "OFFSET_OUT_OF_RANGE", "none"],
  },
  {
    does: "Fetch in a session that is not there",
    ask: (c) => fetch(c, { sessionId: most, sessionEpoch: most }),
    answer: ["FETCH_SESSION_ID_NOT_FOUND", "no answer", "none"],
  },
  {
    does: "ListOffsets at 2^63-1",
    ask: (client) => endOffset(client, 2n ** 63n - 1n),
    answer: "NONE",
  },
  {
    does: "ListOffsets at -2^63",
    ask: (client) => endOffset(client, -(2n ** 63n)),
    answer: "UNSUPPORTED_VERSION",
  },
  {
    does: "ListOffsets of partition 2^31-1",
    ask: (client) => endOffset(client, -1n, most),
    answer: "UNKNOWN_TOPIC_OR_PARTITION",
  },
  {
    does: "Produce with acks 5",
    ask: (client) => produce(client, { acks: 5, records: buildBatch([oneRecord], { crc32c }) }),
    answer: "INVALID_REQUIRED_ACKS",
  },
  {
    does: "Produce to partition -1",
    ask: (client) => produce(client, { index: -1 }),
    answer: "UNKNOWN_TOPIC_OR_PARTITION",
  },
  {
    does: "Produce without records",
    ask: (client) => produce(client, { records: null }),
    answer: "INVALID_RECORD",
  },
  {
    does: "Produce of ten bytes as records",
    ask: (client) => produce(client, { records: new Uint8Array(10) }),
    answer: "INVALID_RECORD",
  },
  {
    does: "JoinGroup with a session of -1 ms",
    ask: (client) => join(client, { sessionTimeoutMs: -1 }),
    answer: "INVALID_SESSION_TIMEOUT",
  },
  {
    does: "JoinGroup with a session of 2^31-1 ms",
    ask: (client) => join(client, { sessionTimeoutMs: most }),
    answer: "INVALID_SESSION_TIMEOUT",
  },
  {
    does: "JoinGroup with 10,000 protocols",
    ask: (client) => join(client, { protocols: manyProtocols }),
    answer: "UNKNOWN_SERVER_ERROR",
  },
  {
    does: "JoinGroup without protocols",
    ask: (client) => join(client, { protocols: [] }),
    answer: "INCONSISTENT_GROUP_PROTOCOL",
  },
  {
    does: "JoinGroup of a member id of 32,767 characters",
    ask: (client) => join(client, { memberId: longName }),
    answer: "UNKNOWN_MEMBER_ID",
  },
  {
    does: "JoinGroup of a group id of 32,767 characters",
    ask: (client) => join(client, { groupId: longName }),
    answer: "MEMBER_ID_REQUIRED",
  },
  {
    does: "OffsetCommit with 4,097 characters of metadata",
    ask: (client) => commit(client, { metadata: "m".repeat(4097) }),
    answer: "OFFSET_METADATA_TOO_LARGE",
  },
  {
    does: "OffsetCommit of partition 2^31-1",
    ask: (client) => commit(client, { partitionIndex: most }),
    answer: "UNKNOWN_TOPIC_OR_PARTITION",
  },
  {
    does: "OffsetCommit of offset -2^53+1",
    ask: (client) => commit(client, { offset: -farOffset }),
    answer: "NONE",
  },
  {
    does: "OffsetCommit by a group of 32,767 characters",
    ask: (client) => commit(client, { groupId: longName }),
    answer: "NONE",
  },
  {
    does: "InitProducerId with a timeout of 2^31-1 ms",
    ask: (client) => producerId(client, { timeoutMs: most }),
    answer: "NONE",
  },
  {
    does: "InitProducerId with a timeout of -1 ms",
    ask: (client) => producerId(client, { timeoutMs: -1 }),
    answer: "NONE",
  },
  {
    does: "InitProducerId with half of an id",
    ask: (client) => producerId(client, { timeoutMs: 1000, id: farOffset }),
    answer: "INVALID_REQUEST",
  },
  {
    does: "IncrementalAlterConfigs with a key of 32,767 characters",
    ask: (client) => alter(client, longName, "1"),
    answer: "INVALID_CONFIG",
  },
  {
    does: "IncrementalAlterConfigs with a number of 32,767 digits",
    ask: (client) => alter(client, "retention.ms", "9".repeat(32_767)),
    answer: "INVALID_CONFIG",
  },
  {
    does: "DescribeTopicPartitions with a limit of 2^31-1",
    ask: (client) => describePage(client, most, 0),
    answer: ["NONE", 1],
  },
  {
    does: "DescribeTopicPartitions with a limit of -1",
    ask: (client) => describePage(client, -1, 0),
    answer: ["NONE", 1],
  },
  {
    does: "DescribeTopicPartitions from partition 2^31-1",
    ask: (client) => describePage(client, 10, most),
    answer: ["NONE", 0],
  },
];

export const absurdValues: Attack = {
  name: "absurd values",
  does: "numbers and texts at their ends, each in a valid request",
  memory: { bytes: mebibytes(64), because: "what is asked for is not made" },
  perform: async (stage) => {
    const client = await stage.client();
    for (const { does, ask, answer } of absurdCases) {
      const answered = await ask(client).catch((error: unknown) => String(error));
      expectEqual(answered, answer, does);
    }
    return `${absurdCases.length} cases, each with its error code`;
  },
};
