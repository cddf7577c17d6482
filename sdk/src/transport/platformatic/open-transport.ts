/** The port over @platformatic/kafka. One version of each API is spoken: those of Kafka 4.0. */
import { initProducerIdV4, metadataV12 } from "@platformatic/kafka";
import { refuse, brokerError } from "./failures.ts";
import type { ClusterMetadata, PartitionMetadata, TopicMetadata } from "../described.ts";
import type { OpenTransport, Transport } from "../transport.ts";
import { Administration } from "./admin.ts";
import { Connections, type ConnectionSettings } from "./connections.ts";
import { Groups } from "./groups.ts";
import { Produce } from "./produce.ts";
import { fetch, listOffsets } from "./records.ts";

/** Gives what opens transports to the cluster of the settings. */
export function platformaticTransport(settings: ConnectionSettings): OpenTransport {
  return (options = {}) => open(new Connections({ ...settings, ...options }));
}

function open(connections: Connections): Transport {
  const metadata: Transport["metadata"] = (topics, { autoCreate }) =>
    readMetadata(connections, topics, autoCreate ? "create" : "ask only");
  const groups = new Groups(connections, () => metadata([], { autoCreate: false }));
  const produce = new Produce(connections);
  return {
    metadata,
    initProducerId: async () => {
      const connection = await connections.toAny();
      const answer = await connections.call(connection, initProducerIdV4.api, null, 0);
      refuse(answer.errorCode);
      return { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
    },
    produce: (node, request) => produce.send(node, request),
    fetch: (node, request) => fetch(connections, node, request),
    listOffsets: (node, request) => listOffsets(connections, node, request),
    groups,
    admin: new Administration(connections, groups),
    close: () => connections.close(),
  };
}

async function readMetadata(
  connections: Connections,
  topics: readonly string[] | "all",
  missing: "create" | "ask only",
): Promise<ClusterMetadata> {
  const connection = await connections.toAny();
  const asked = topics === "all" ? null : [...topics];
  const { api } = metadataV12;
  const answer = await connections.call(connection, api, asked, missing === "create", false);
  const brokers = answer.brokers.map(({ nodeId, host, port, rack }) => ({
    nodeId,
    host,
    port,
    rack: rack ?? null,
  }));
  connections.learn(brokers);
  return {
    clusterId: answer.clusterId ?? null,
    controllerId: answer.controllerId,
    brokers,
    topics: answer.topics.map((topic): TopicMetadata => {
      const error = brokerError(topic.errorCode);
      return {
        name: topic.name ?? "",
        topicId: topic.topicId,
        internal: topic.isInternal,
        partitions: topic.partitions.map(toPartition).sort((a, b) => a.partition - b.partition),
        ...(error === undefined ? {} : { error }),
      };
    }),
  };
}

type PartitionAnswer = Awaited<
  ReturnType<typeof metadataV12.api.async>
>["topics"][number]["partitions"][number];

function toPartition(answer: PartitionAnswer): PartitionMetadata {
  return {
    partition: answer.partitionIndex,
    leader: answer.leaderId,
    leaderEpoch: answer.leaderEpoch,
    replicas: answer.replicaNodes,
    inSyncReplicas: answer.isrNodes,
  };
}
