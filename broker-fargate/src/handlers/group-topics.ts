import type { TopicId } from "@millrace/core";
import { ErrorCode } from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Topic } from "../cluster/cluster.ts";

/** The topic that an offset request names, as its version names topics. */
export function groupTopic(
  broker: Broker,
  asked: { readonly name: string; readonly topicId: string },
  how: "byId" | "byName",
): Topic | undefined {
  const { topics } = broker.cluster;
  return how === "byId" ? topics.byId(asked.topicId as TopicId) : topics.byName(asked.name);
}

export function unknownGroupTopicCode(how: "byId" | "byName"): number {
  return how === "byId" ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
}
