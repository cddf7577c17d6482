/**
 * Everything that a client can find out about the data in a directory, by asking its broker. The
 * expectation of a fixture is what the broker that wrote it answered.
 */
import { createHash } from "node:crypto";
import { loadCodecs } from "@millrace/adapter-node";
import { ApiKey, readBatchBytes, readRecords } from "@millrace/wire";
import type { WireClient } from "../fixtures/wire-client.ts";

export interface ObservedPartition {
  readonly partition: number;
  readonly startOffset: number;
  readonly endOffset: number;
  readonly recordCount: number;
  /** SHA-256 of the record batches' bytes; of a compacted topic, of each key's last value. */
  readonly sha256: string;
  /** Where epochs 1 and 2 end (OffsetForLeaderEpoch); empty where there are no records. */
  readonly epochEnds: readonly { readonly epoch: number; readonly endOffset: number }[];
  /** The record that ListOffsets finds for a timestamp in the middle. */
  readonly middle: { readonly timestamp: number; readonly offset: number };
}

export interface ObservedTopic {
  readonly name: string;
  readonly topicId: string;
  /** Only what was set for the topic itself. */
  readonly configs: Readonly<Record<string, string | null>>;
  readonly partitions: readonly ObservedPartition[];
}

export interface ObservedGroup {
  readonly groupId: string;
  readonly state: string;
  readonly protocolType: string;
  readonly protocolName: string;
  readonly members: readonly ObservedMember[];
  readonly offsets: readonly ObservedOffset[];
}

export interface ObservedMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** In hexadecimal, or, where that would be long, its SHA-256. */
  readonly metadata: string;
  readonly assignment: string;
}

export interface ObservedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string | null;
}

export interface Observation {
  readonly clusterId: string | null;
  readonly topics: readonly ObservedTopic[];
  readonly groups: readonly ObservedGroup[];
  /** Dynamic configs of the broker and of all brokers, as `source:name=value`. */
  readonly brokerConfigs: readonly string[];
}

const topicResource = 2;
const brokerResource = 4;
const dynamicTopicSource = 1;
const dynamicBrokerSources: ReadonlySet<number> = new Set([2, 3]);
const earliest = -2n;
const latest = -1n;
const { codecs } = loadCodecs();
const openRules = { codecs, decompressedBytesMax: 16 * 1024 * 1024 };

/** `middleTimestamp`: what ListOffsets is asked to find. */
export async function observe(client: WireClient, middleTimestamp: number): Promise<Observation> {
  const metadata = await client.ask(ApiKey.Metadata, 12, { topics: null });
  const byName = [...metadata.topics].sort((a, b) => ((a.name ?? "") < (b.name ?? "") ? -1 : 1));
  const topics: ObservedTopic[] = [];
  for (const { isInternal, name, partitions, topicId } of byName) {
    if (name === null || isInternal) continue;
    const configs = await topicConfigs(client, name);
    const isCompacted = configs["cleanup.policy"] === "compact";
    const observed: ObservedPartition[] = [];
    for (let partition = 0; partition < partitions.length; partition += 1) {
      const at = { topic: name, partition };
      observed.push(await observePartition(client, at, { isCompacted, middleTimestamp }));
    }
    topics.push({ name, topicId, configs, partitions: observed });
  }
  const groups = await observeGroups(client);
  const brokerConfigs = await dynamicBrokerConfigs(client, metadata.controllerId);
  return { clusterId: metadata.clusterId, topics, groups, brokerConfigs };
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

async function observePartition(
  client: WireClient,
  at: Place,
  how: { readonly isCompacted: boolean; readonly middleTimestamp: number },
): Promise<ObservedPartition> {
  const start = await listOffset(client, at, earliest);
  const end = await listOffset(client, at, latest);
  const middle = await listOffset(client, at, BigInt(how.middleTimestamp));
  const batches = await fetchAll(client, at, { from: start.offset, to: end.offset });
  const { last, recordCount } = readBatches(batches);
  const hash = createHash("sha256");
  if (how.isCompacted) hash.update(JSON.stringify([...last].sort()));
  else for (const bytes of batches) hash.update(bytes);
  const epochEnds = [];
  for (const epoch of end.offset > 0 ? [1, 2] : []) {
    epochEnds.push(await epochEnd(client, at, epoch));
  }
  return {
    partition: at.partition,
    startOffset: start.offset,
    endOffset: end.offset,
    recordCount: how.isCompacted ? last.size : recordCount,
    sha256: hash.digest("hex"),
    epochEnds,
    middle,
  };
}

async function listOffset(
  client: WireClient,
  at: Place,
  timestamp: bigint,
): Promise<{ readonly timestamp: number; readonly offset: number }> {
  const partitions = [{ partitionIndex: at.partition, timestamp }];
  const topics = [{ name: at.topic, partitions }];
  const response = await client.ask(ApiKey.ListOffsets, 8, { replicaId: -1, topics });
  const found = response.topics[0]?.partitions[0];
  if (found?.errorCode !== 0) throw new Error(`ListOffsets: ${JSON.stringify(response)}`);
  return { timestamp: found.timestamp, offset: found.offset };
}

async function epochEnd(
  client: WireClient,
  at: Place,
  leaderEpoch: number,
): Promise<{ readonly epoch: number; readonly endOffset: number }> {
  const topics = [{ topic: at.topic, partitions: [{ partition: at.partition, leaderEpoch }] }];
  const request = { replicaId: -2, topics };
  const response = await client.ask(ApiKey.OffsetForLeaderEpoch, 4, request);
  const found = response.topics[0]?.partitions[0];
  if (found?.errorCode !== 0) throw new Error(`epochs: ${JSON.stringify(response)}`);
  return { epoch: found.leaderEpoch, endOffset: found.endOffset };
}

/** The batches from one offset up to another, by as many fetches as they take. */
async function fetchAll(
  client: WireClient,
  at: Place,
  range: { readonly from: number; readonly to: number },
): Promise<readonly Uint8Array[]> {
  const batches: Uint8Array[] = [];
  for (let fetchOffset = range.from; fetchOffset < range.to; ) {
    const partitions = [{ partition: at.partition, fetchOffset, partitionMaxBytes: 65_536 }];
    const topics = [{ topic: at.topic, partitions }];
    const request = { maxWaitMs: 0, minBytes: 0, maxBytes: 1_048_576, topics };
    const response = await client.ask(ApiKey.Fetch, 12, request);
    const found = response.responses[0]?.partitions[0];
    if (found?.errorCode !== 0) throw new Error(`Fetch: error ${found?.errorCode}`);
    const taken = splitWhole(found.records ?? new Uint8Array());
    const next = taken.at(-1);
    if (next === undefined) throw new Error(`nothing at offset ${fetchOffset} of ${at.topic}`);
    batches.push(...taken);
    const view = new DataView(next.buffer, next.byteOffset, next.byteLength);
    fetchOffset = Number(view.getBigInt64(0)) + view.getInt32(23) + 1;
  }
  return batches;
}

/** A record set's whole batches; one that the limit of the fetch cut off is left out. */
function splitWhole(records: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  const batches: Uint8Array[] = [];
  for (let at = 0; at + 12 <= records.length; ) {
    const end = at + readBatchBytes(view, at);
    if (end > records.length) break;
    batches.push(records.slice(at, end));
    at = end;
  }
  return batches;
}

function readBatches(batches: readonly Uint8Array[]): {
  readonly recordCount: number;
  /** Each key's last value in hexadecimal. */
  readonly last: ReadonlyMap<string, string | null>;
} {
  const last = new Map<string, string | null>();
  let recordCount = 0;
  for (const batch of batches) {
    const read = readRecords(batch, 0, openRules);
    if (read.kind === "fault") throw new Error(`a batch can't be read: ${read.fault}`);
    recordCount += read.records.length;
    for (const { key, value } of read.records) last.set(hex(key) ?? "", hex(value));
  }
  return { recordCount, last };
}

function hex(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString("hex");
}

function hexOrHash(bytes: Uint8Array): string {
  if (bytes.length <= 1_000) return Buffer.from(bytes).toString("hex");
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

async function topicConfigs(
  client: WireClient,
  resourceName: string,
): Promise<Readonly<Record<string, string | null>>> {
  const resource = { resourceType: topicResource, resourceName, configurationKeys: null };
  const response = await client.ask(ApiKey.DescribeConfigs, 4, { resources: [resource] });
  const configs = response.results[0]?.configs ?? [];
  const own = configs.filter(({ configSource }) => configSource === dynamicTopicSource);
  return Object.fromEntries(own.map(({ name, value }) => [name, value]));
}

async function dynamicBrokerConfigs(
  client: WireClient,
  broker: number,
): Promise<readonly string[]> {
  const named = { resourceType: brokerResource, configurationKeys: null };
  const resources = [{ ...named, resourceName: String(broker) }];
  const response = await client.ask(ApiKey.DescribeConfigs, 4, { resources });
  const configs = response.results.flatMap((result) => result.configs);
  return configs
    .filter(({ configSource }) => dynamicBrokerSources.has(configSource))
    .map(({ configSource, name, value }) => `${configSource}:${name}=${value}`)
    .sort();
}

async function observeGroups(client: WireClient): Promise<readonly ObservedGroup[]> {
  const listed = await client.ask(ApiKey.ListGroups, 4, { statesFilter: [] });
  const groups: ObservedGroup[] = [];
  for (const groupId of listed.groups.map((group) => group.groupId).sort()) {
    const described = await client.ask(ApiKey.DescribeGroups, 5, { groups: [groupId] });
    const group = described.groups[0];
    if (group?.errorCode !== 0) throw new Error(`DescribeGroups: ${JSON.stringify(described)}`);
    groups.push({
      groupId,
      state: group.groupState,
      protocolType: group.protocolType,
      protocolName: group.protocolData,
      members: group.members.map((member) => ({
        memberId: member.memberId,
        instanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        metadata: hexOrHash(member.memberMetadata),
        assignment: hexOrHash(member.memberAssignment),
      })),
      offsets: await committedOffsets(client, groupId),
    });
  }
  return groups;
}

async function committedOffsets(
  client: WireClient,
  groupId: string,
): Promise<readonly ObservedOffset[]> {
  const groups = [{ groupId, topics: null }];
  const response = await client.ask(ApiKey.OffsetFetch, 8, { groups });
  const topics = response.groups[0]?.topics ?? [];
  return topics
    .flatMap(({ name, partitions }) =>
      partitions.map((entry) => ({
        topic: name,
        partition: entry.partitionIndex,
        offset: entry.committedOffset,
        leaderEpoch: entry.committedLeaderEpoch,
        metadata: entry.metadata,
      })),
    )
    .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
}
