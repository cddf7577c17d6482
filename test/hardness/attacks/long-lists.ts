/** Valid requests that ask for as much as fits. */
import { ApiKey, zeroUuid } from "@millrace/wire";
import type { WireClient } from "../../fixtures/wire-client.ts";
import { type Attack, mebibytes } from "../attack.ts";

const many = 100_000;

function names(prefix: string, count: number = many): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

interface LongCase {
  readonly name: string;
  readonly does: string;
  readonly ask: (client: WireClient) => Promise<string>;
}

function codesOf(answers: readonly { readonly errorCode: number }[]): string {
  const counts = new Map<number, number>();
  for (const { errorCode } of answers) counts.set(errorCode, (counts.get(errorCode) ?? 0) + 1);
  return [...counts].map(([code, count]) => `${count} × error ${code}`).join(", ");
}

function partitionsFrom(count: number): readonly number[] {
  return Array.from({ length: count }, (_, partition) => partition);
}

const cases: readonly LongCase[] = [
  {
    name: "Fetch of 100,000 partitions",
    does: "one Fetch, of partitions that are not there but for the first",
    ask: async (client) => {
      const partitions = partitionsFrom(many).map((partition) => ({
        ...{ partition, fetchOffset: 0, partitionMaxBytes: 1000 },
      }));
      const topics = [{ topic: "probed", partitions }];
      const request = { maxWaitMs: 0, minBytes: 0, maxBytes: 100_000, topics };
      const { responses } = await client.ask(ApiKey.Fetch, 11, request);
      return codesOf(responses[0]?.partitions ?? []);
    },
  },
  {
    name: "ListOffsets of 100,000 partitions",
    does: "one ListOffsets by timestamp",
    ask: async (client) => {
      const partitions = partitionsFrom(many).map((partitionIndex) => ({
        ...{ partitionIndex, timestamp: 0n },
      }));
      const topics = [{ name: "probed", partitions }];
      const answer = await client.ask(ApiKey.ListOffsets, 7, { replicaId: -1, topics });
      return codesOf(answer.topics[0]?.partitions ?? []);
    },
  },
  {
    name: "Produce to 100,000 partitions",
    does: "one Produce, of partitions that are not there",
    ask: async (client) => {
      const records = new Uint8Array(0);
      const partitionData = partitionsFrom(many).map((index) => ({ index: index + 1, records }));
      const topicData = [{ name: "probed", partitionData }];
      const request = { acks: -1, timeoutMs: 1000, topicData };
      const { responses } = await client.ask(ApiKey.Produce, 9, request);
      return codesOf(responses[0]?.partitionResponses ?? []);
    },
  },
  {
    name: "Metadata of 100,000 names",
    does: "one Metadata of topics that are not there and may not be made",
    ask: async (client) => {
      const topics = names("absent-").map((name) => ({ name, topicId: zeroUuid }));
      const request = { topics, allowAutoTopicCreation: false };
      return codesOf((await client.ask(ApiKey.Metadata, 12, request)).topics);
    },
  },
  {
    name: "CreateTopics of 100,000, to validate",
    does: "one CreateTopics with validateOnly",
    ask: async (client) => {
      const topics = names("maybe-").map((name) => ({
        ...{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
      }));
      const request = { topics, timeoutMs: 1000, validateOnly: true };
      return codesOf((await client.ask(ApiKey.CreateTopics, 7, request)).topics);
    },
  },
  {
    name: "DeleteTopics of 100,000 names",
    does: "one DeleteTopics of topics that are not there",
    ask: async (client) => {
      const topics = names("absent-").map((name) => ({ name, topicId: zeroUuid }));
      const request = { topics, timeoutMs: 1000 };
      return codesOf((await client.ask(ApiKey.DeleteTopics, 6, request)).responses);
    },
  },
  {
    name: "AlterConfigs with 100,000 keys",
    does: "one AlterConfigs of a topic",
    ask: async (client) => {
      const configs = names("key-").map((name) => ({ name, value: "v" }));
      const resources = [{ resourceType: 2, resourceName: "probed", configs }];
      const request = { resources, validateOnly: false };
      return codesOf((await client.ask(ApiKey.AlterConfigs, 2, request)).responses);
    },
  },
  {
    name: "IncrementalAlterConfigs with 100,000 keys",
    does: "one IncrementalAlterConfigs of the cluster-wide broker configs",
    ask: async (client) => {
      const configs = names("key-").map((name) => ({ name, configOperation: 0, value: "v" }));
      const resources = [{ resourceType: 4, resourceName: "", configs }];
      const request = { resources, validateOnly: false };
      return codesOf((await client.ask(ApiKey.IncrementalAlterConfigs, 1, request)).responses);
    },
  },
  {
    name: "DescribeConfigs of one topic 100,000 times",
    does: "one DescribeConfigs with synonyms and documentation",
    ask: async (client) => {
      const resource = { resourceType: 2, resourceName: "probed", configurationKeys: null };
      const resources = Array.from({ length: many }, () => resource);
      const wanted = { includeSynonyms: true, includeDocumentation: true };
      const answer = await client.ask(ApiKey.DescribeConfigs, 4, { resources, ...wanted });
      return codesOf(answer.results);
    },
  },
  {
    name: "DescribeLogDirs of one topic 100,000 times",
    does: "one DescribeLogDirs",
    ask: async (client) => {
      const topics = Array.from({ length: many }, (_, index) => ({
        ...{ topic: "probed", partitions: [index] },
      }));
      return codesOf((await client.ask(ApiKey.DescribeLogDirs, 4, { topics })).results);
    },
  },
  {
    name: "OffsetFetch of 100,000 groups",
    does: "one OffsetFetch of all offsets of groups that are not there",
    ask: async (client) => {
      const groups = names("absent-").map((groupId) => ({ groupId, topics: null }));
      return codesOf((await client.ask(ApiKey.OffsetFetch, 8, { groups })).groups);
    },
  },
  {
    name: "OffsetCommit of 100,000 partitions",
    does: "one OffsetCommit of partitions that are not there but for the first",
    ask: async (client) => {
      const partitions = partitionsFrom(many).map((partitionIndex) => ({
        ...{ partitionIndex, committedOffset: 1, committedMetadata: "" },
      }));
      const request = { groupId: "long-lists", topics: [{ name: "probed", partitions }] };
      const { topics } = await client.ask(ApiKey.OffsetCommit, 8, request);
      return codesOf(topics[0]?.partitions ?? []);
    },
  },
  {
    name: "DescribeGroups of 100,000 groups",
    does: "one DescribeGroups of groups that are not there",
    ask: async (client) => {
      const request = { groups: names("absent-") };
      return codesOf((await client.ask(ApiKey.DescribeGroups, 5, request)).groups);
    },
  },
  {
    name: "DeleteGroups of 100,000 groups",
    does: "one DeleteGroups of groups that are not there",
    ask: async (client) => {
      const request = { groupsNames: names("absent-") };
      return codesOf((await client.ask(ApiKey.DeleteGroups, 2, request)).results);
    },
  },
  {
    name: "FindCoordinator of 100,000 keys",
    does: "one FindCoordinator",
    ask: async (client) => {
      const request = { keyType: 0, coordinatorKeys: names("group-") };
      return codesOf((await client.ask(ApiKey.FindCoordinator, 4, request)).coordinators);
    },
  },
  {
    name: "LeaveGroup of 100,000 members",
    does: "one LeaveGroup of members that are not there",
    ask: async (client) => {
      const members = names("member-").map((memberId) => ({ memberId }));
      const answer = await client.ask(ApiKey.LeaveGroup, 4, { groupId: "none", members });
      return codesOf([answer]);
    },
  },
];

const list = {
  bytes: mebibytes(400),
  because: "some bytes per element of the request, its objects and the answer's",
};

export const longLists: readonly Attack[] = cases.map(({ name, does, ask }) => ({
  name,
  does,
  memory: list,
  perform: async (stage) => ask(await stage.client()),
}));
