import type { CreateTopicRequest, Settings } from "@millrace/core";

/** What a topic is made of where nothing is said. */
export const asDefault = {
  partitionCount: -1,
  replicationFactor: -1,
  assignments: [],
  configs: [],
} as const;

/** `__consumer_offsets` or `__transaction_state`, as the settings want it. */
export function internalTopic(name: string, settings: Settings): CreateTopicRequest {
  const isOffsets = name === "__consumer_offsets";
  return {
    name,
    partitionCount: isOffsets
      ? settings.offsetsTopicNumPartitions
      : settings.transactionStateLogNumPartitions,
    replicationFactor: isOffsets
      ? settings.offsetsTopicReplicationFactor
      : settings.transactionStateLogReplicationFactor,
    assignments: [],
    configs: [
      ["cleanup.policy", "compact"],
      ["compression.type", isOffsets ? "producer" : "uncompressed"],
      ["segment.bytes", "104857600"],
    ],
  };
}
