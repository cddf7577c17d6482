/** `ClusterAdmin` over the SDK's admin client. */
import {
  type Admin,
  AuthenticationError,
  BrokerError,
  MillraceError,
} from "../../../sdk/src/index.ts";
import { clusterCallMsMax } from "../limits.ts";
import {
  type ClusterAdmin,
  ClusterUnavailableError,
  type DescribedGroup,
  type DescribedTopic,
  type GroupAdmin,
  KafkaRefusal,
} from "../ports/cluster-admin.ts";

/** `onRefusedLogin`: the brokers do not take the client's login (any more). */
export function sdkClusterAdmin(
  admin: Admin,
  onRefusedLogin: () => void,
  callMsMax: number = clusterCallMsMax,
): ClusterAdmin {
  /** Every call ends in time, and fails as the port says. */
  const asked = async <Answer>(
    call: (options: { readonly signal: AbortSignal }) => Promise<Answer>,
  ): Promise<Answer> => {
    try {
      return await call({ signal: AbortSignal.timeout(callMsMax) });
    } catch (error) {
      if (error instanceof AuthenticationError) onRefusedLogin();
      throw failureOf(error);
    }
  };
  return {
    topicNames: () => asked((options) => admin.listTopics(options)),
    topics: (names) =>
      asked(async (options) => topicsOf(await admin.describeTopics(names, options))),
    createTopic: ({ name, ...topic }) =>
      asked((options) => admin.createTopic(name, { ...topic, ...options })),
    deleteTopic: (name) => asked((options) => admin.deleteTopic(name, options)),
    growTopic: (name, count) => asked((options) => admin.createPartitions(name, count, options)),
    topicConfigs: (name) =>
      asked((options) => admin.describeConfigs({ kind: "topic", name }, options)),
    alterTopicConfigs: (name, changes) =>
      asked((options) => admin.alterConfigs({ kind: "topic", name }, changes, options)),
    offsets: (topic) =>
      asked(async (options) => {
        const [starts, ends] = await Promise.all([
          admin.offsets(topic, "earliest", options),
          admin.offsets(topic, "latest", options),
        ]);
        const first = new Map(starts.map(({ offset, partition }) => [partition, offset]));
        return ends.map(({ offset: latestOffset, partition }) => {
          return { partition, latestOffset, earliestOffset: first.get(partition) ?? -1 };
        });
      }),
    offsetsAt: (topic, timestampMs) =>
      asked((options) => admin.offsets(topic, { timestamp: timestampMs }, options)),
    groups: groupAdmin(admin, asked),
  };
}

type Asked = <Answer>(
  call: (options: { readonly signal: AbortSignal }) => Promise<Answer>,
) => Promise<Answer>;

function groupAdmin(admin: Admin, asked: Asked): GroupAdmin {
  return {
    list: () =>
      asked(async (options) => {
        const groups = await admin.listGroups(options);
        return groups.map(({ group, state, type }) => ({ id: group, state, protocol: type }));
      }),
    find: (id) =>
      asked(async (options): Promise<DescribedGroup | undefined> => {
        const listed = (await admin.listGroups(options)).find(({ group }) => group === id);
        if (listed === undefined) return undefined;
        const { members, state } = await admin.describeGroup(id, options);
        return {
          id,
          state,
          protocol: listed.type,
          members: members.map((member) => ({ ...member })),
        };
      }),
    lag: (id) => asked((options) => admin.lag(id, options)),
    delete: (id) => asked((options) => admin.deleteGroup(id, options)),
    committed: (id) => asked((options) => admin.committedOffsets(id, options)),
    alterOffsets: (id, offsets) => asked((options) => admin.alterOffsets(id, offsets, options)),
  };
}

function topicsOf(topics: Awaited<ReturnType<Admin["describeTopics"]>>): readonly DescribedTopic[] {
  return topics.map(({ name, partitions, topicId }) => ({
    ...{ name, id: topicId },
    partitions: partitions.map((partition) => ({ ...partition })),
  }));
}

/** Refusals that pass are not the request's fault. */
function failureOf(error: unknown): unknown {
  if (error instanceof BrokerError) {
    const { code, message, retriable } = error;
    const isMissing = code === "UNKNOWN_TOPIC_OR_PARTITION";
    if (retriable && !isMissing) return new ClusterUnavailableError(`${code}: ${message}`, error);
    return new KafkaRefusal(code, message, error);
  }
  const isTimeout = error instanceof DOMException && error.name === "TimeoutError";
  if (isTimeout) return new ClusterUnavailableError("the brokers took too long", error);
  if (error instanceof MillraceError) return new ClusterUnavailableError(error.message, error);
  return error;
}
