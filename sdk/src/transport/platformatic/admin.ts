/** Topics, configs and groups over @platformatic/kafka. */
import {
  ConfigResourceTypes,
  ConfigSources,
  createPartitionsV3,
  createTopicsV7,
  decodeConsumerProtocolAssignment,
  deleteGroupsV2,
  deleteTopicsV6,
  describeConfigsV4,
  describeGroupsV5,
  IncrementalAlterConfigOperationTypes,
  incrementalAlterConfigsV1,
  listGroupsV5,
} from "@platformatic/kafka";
import { BrokerError } from "../../errors.ts";
import type {
  ConfigEntry,
  ConfigResource,
  DescribedGroup,
  DescribedMember,
  ListedGroup,
} from "../described.ts";
import type { AdminTransport, NewTopic } from "../transport.ts";
import type { Connections } from "./connections.ts";
import { refuse } from "./failures.ts";
import type { Groups } from "./groups.ts";

const resourceTypes = {
  topic: ConfigResourceTypes.TOPIC,
  broker: ConfigResourceTypes.BROKER,
} as const;

export class Administration implements AdminTransport {
  readonly #connections: Connections;
  readonly #groups: Groups;

  constructor(connections: Connections, groups: Groups) {
    this.#connections = connections;
    this.#groups = groups;
  }

  async createTopic(topic: NewTopic, timeoutMs: number): Promise<void> {
    const asked = {
      name: topic.name,
      numPartitions: topic.partitions,
      replicationFactor: topic.replicationFactor,
      assignments: [],
      configs: Object.entries(topic.configs).map(([name, value]) => ({ name, value })),
    };
    const connection = await this.#connections.toAny();
    const { api } = createTopicsV7;
    const answer = await this.#connections.call(connection, api, [asked], timeoutMs, false);
    for (const { errorCode, errorMessage } of answer.topics) refuse(errorCode, errorMessage);
  }

  async deleteTopic(name: string, timeoutMs: number): Promise<void> {
    const connection = await this.#connections.toAny();
    const { api } = deleteTopicsV6;
    const { responses } = await this.#connections.call(connection, api, [{ name }], timeoutMs);
    for (const { errorCode, errorMessage } of responses) refuse(errorCode, errorMessage);
  }

  async createPartitions(name: string, count: number, timeoutMs: number): Promise<void> {
    const connection = await this.#connections.toAny();
    const { api } = createPartitionsV3;
    const asked = [{ name, count, assignments: null }];
    const { results } = await this.#connections.call(connection, api, asked, timeoutMs, false);
    for (const { errorCode, errorMessage } of results) refuse(errorCode, errorMessage);
  }

  async describeConfigs({ kind, name }: ConfigResource): Promise<readonly ConfigEntry[]> {
    const connection = await this.#connections.toAny();
    const asked = [
      { resourceType: resourceTypes[kind], resourceName: name, configurationKeys: null },
    ];
    const { results } = await this.#connections.call(
      connection,
      describeConfigsV4.api,
      ...([asked, false, false] as const),
    );
    return results.flatMap(({ errorCode, errorMessage, configs }) => {
      refuse(errorCode, errorMessage);
      return configs.map((config) => ({
        name: config.name,
        value: config.value ?? null,
        isDefault: config.configSource !== ConfigSources.DYNAMIC_TOPIC_CONFIG,
        readOnly: config.readOnly,
        sensitive: config.isSensitive,
      }));
    });
  }

  async alterConfigs(
    { kind, name: resourceName }: ConfigResource,
    changes: Readonly<Record<string, string | null>>,
  ): Promise<void> {
    const { SET, DELETE } = IncrementalAlterConfigOperationTypes;
    const configs = Object.entries(changes).map(([name, value]) =>
      value === null ? { name, configOperation: DELETE } : { name, configOperation: SET, value },
    );
    const connection = await this.#connections.toAny();
    const asked = [{ resourceType: resourceTypes[kind], resourceName, configs }];
    const { api } = incrementalAlterConfigsV1;
    const { responses } = await this.#connections.call(connection, api, asked, false);
    for (const { errorCode, errorMessage } of responses) refuse(errorCode, errorMessage);
  }

  async listGroups(node: number): Promise<readonly ListedGroup[]> {
    const connection = await this.#connections.toNode(node);
    const answer = await this.#connections.call(connection, listGroupsV5.api, [], []);
    refuse(answer.errorCode);
    return answer.groups.map(({ groupId, groupState, groupType }) => ({
      group: groupId,
      state: groupState,
      type: groupType,
    }));
  }

  async describeGroup(group: string): Promise<DescribedGroup> {
    const { groups } = await this.#groups.ask(group, describeGroupsV5.api, [group], false);
    const answer = groups.find(({ groupId }) => groupId === group);
    refuse(answer?.errorCode ?? 0);
    if (answer === undefined || answer.groupState === "Dead") {
      const message = `there is no group ${group}`;
      throw new BrokerError({ code: "GROUP_ID_NOT_FOUND", message, retriable: false });
    }
    return {
      group,
      state: answer.groupState,
      assignor: answer.protocolData,
      members: answer.members.map(
        (member): DescribedMember => ({
          memberId: member.memberId,
          clientId: member.clientId,
          host: member.clientHost,
          partitions: assignedTo(member.memberAssignment),
        }),
      ),
    };
  }

  async deleteGroup(group: string): Promise<void> {
    const { results } = await this.#groups.ask(group, deleteGroupsV2.api, [group]);
    for (const { errorCode } of results) refuse(errorCode);
  }
}

function assignedTo(assignment: Buffer): DescribedMember["partitions"] {
  if (assignment.length === 0) return [];
  return decodeConsumerProtocolAssignment(assignment).assignedPartitions.flatMap(
    ({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })),
  );
}
