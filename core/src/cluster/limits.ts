/** Bounds of what a cluster's metadata may hold. Reaching one is a refusal that says so. */

/**
 * Partitions of one topic. A topic is one item whatever its count, but a client that asks for all
 * topics is told of every partition: 100,000 are some 3 MB of one response.
 */
export const topicPartitionsMax: number = 100_000;
/** Partitions of all topics together. */
export const clusterPartitionsMax: number = 1_000_000;
/** Topics of the cluster: each is an entry in every broker's memory. */
export const clusterTopicsMax: number = 100_000;
/** UTF-16 units of all keys and values that are set for one topic or broker: far below an item. */
export const configCharactersMax: number = 64 * 1024;
