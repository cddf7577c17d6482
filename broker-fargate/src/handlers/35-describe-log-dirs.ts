/**
 * DescribeLogDirs v1–v5: the one data folder, with the bytes of every partition asked for. An
 * untouched partition has no file and counts 0 bytes; it is not loaded to be counted. Each partition
 * is answered once; what does not exist is left out, and so is what another broker leads: whatever
 * this disk may still have of it is no log of anybody's.
 */
import {
  ApiKey,
  type DescribeLogDirsRequest,
  type DescribeLogDirsResponseInput,
  type DescribeLogDirsTopicInput,
  ErrorCode,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Topic } from "../cluster/cluster.ts";
import { hasPartition, isLedHere } from "./find-partition.ts";
import type { Handler } from "./handler.ts";

/** The data folder as it is shown, and the space of the disk below it. */
export interface DataFolder {
  readonly path: string;
  space(): { readonly totalBytes: number; readonly usableBytes: number };
}

export function describeLogDirsHandler(
  broker: Broker,
  folder: DataFolder,
): Handler<DescribeLogDirsRequest, DescribeLogDirsResponseInput> {
  return {
    apiKey: ApiKey.DescribeLogDirs,
    versions: { min: 1, max: 5 },
    handle: (request) => ({
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      results: [
        {
          errorCode: ErrorCode.NONE,
          logDir: folder.path,
          topics: describeTopics(broker, request),
          ...folder.space(),
          isCordoned: false,
        },
      ],
    }),
  };
}

function describeTopics(
  broker: Broker,
  request: DescribeLogDirsRequest,
): readonly DescribeLogDirsTopicInput[] {
  if (request.topics === null) {
    return broker.cluster.topics.list().map((topic) => describeTopic(broker, topic, undefined));
  }
  const asked = new Map<string, Set<number>>();
  for (const { topic, partitions } of request.topics) {
    const before = asked.get(topic);
    if (before === undefined) asked.set(topic, new Set(partitions));
    else for (const partition of partitions) before.add(partition);
  }
  return [...asked].flatMap(([name, partitions]) => {
    const topic = broker.cluster.topics.byName(name);
    if (topic === undefined) return [];
    const described = describeTopic(broker, topic, [...partitions]);
    return described.partitions.length === 0 ? [] : [described];
  });
}

function describeTopic(
  broker: Broker,
  topic: Topic,
  asked: readonly number[] | undefined,
): DescribeLogDirsTopicInput {
  const all = asked ?? Array.from({ length: topic.partitionCount }, (_, index) => index);
  const partitions = all.filter(
    (partition) =>
      hasPartition(topic, partition) && isLedHere(broker, { topicId: topic.id, partition }),
  );
  return {
    name: topic.name,
    partitions: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionSize: broker.partitions.sizeBytes(topic.id, partitionIndex),
      offsetLag: 0,
      isFutureKey: false,
    })),
  };
}
