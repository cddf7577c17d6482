/**
 * What AlterConfigs and IncrementalAlterConfigs share: which resources there are, which of them a
 * request may name, and how an outcome is told.
 */
import {
  brokerConfigs,
  type ConfigChange,
  type ConfigDefinition,
  topicConfigs,
  topicNameFault,
} from "@millrace/core";
import { ErrorCode } from "@millrace/wire";
import type { ConfigOutcome, Intent } from "../cluster/cluster.ts";
import { alteredConfigsMax } from "../limits.ts";
import { errorMessage } from "./error-message.ts";
import { inTurns } from "./in-turns.ts";
import { resourceType } from "./config-codes.ts";
import {
  type ClusterHolder,
  groupedBy,
  success,
  unavailable,
  type Verdict,
  verdictOf,
} from "./topic-outcome.ts";

export interface Resource {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly configs: readonly { readonly name: string; readonly value: string | null }[];
}

/** Makes new configs from present ones; `definitions` are those of the resource's kind. */
export type Change = (
  before: ReadonlyMap<string, string>,
  definitions: ReadonlyMap<string, ConfigDefinition>,
) => ConfigChange;

export type AlterResponse = Verdict & Pick<Resource, "resourceType" | "resourceName">;

/** Alters each resource on its own; one that is named twice is not altered at all. */
export function alterResources<R extends Resource>(
  broker: ClusterHolder,
  resources: readonly R[],
  alter: (resource: R) => Verdict | Promise<Verdict>,
): Promise<readonly AlterResponse[]> {
  const same = groupedBy(resources, (resource) => keyOf(resource));
  return inTurns(broker.clock, resources, async (resource) => {
    const isAlone = same.get(keyOf(resource))?.length === 1;
    const verdict = isAlone
      ? await alter(resource)
      : invalidRequest("Each resource must appear at most once.");
    return {
      ...verdict,
      resourceType: resource.resourceType,
      resourceName: resource.resourceName,
    };
  });
}

/** Refuses too many keys, a key that is named twice, and a key without value unless `mayBeNull` says so. */
export function entriesFault<C extends Resource["configs"][number]>(
  configs: readonly C[],
  mayBeNull: (config: C) => boolean,
): Verdict | undefined {
  if (configs.length > alteredConfigsMax) {
    const errorMessage = `One request may alter ${alteredConfigsMax} configs of a resource at most.`;
    return { errorCode: ErrorCode.POLICY_VIOLATION, errorMessage };
  }
  const names = new Set(configs.map((config) => config.name));
  if (names.size < configs.length) return invalidRequest("Error due to duplicate config keys");
  const nulls = configs.filter((config) => config.value === null && !mayBeNull(config));
  if (nulls.length === 0) return undefined;
  const list = nulls.map((config) => config.name).join(",");
  return invalidRequest(`Null value not supported for : ${list}`);
}

export function alterResource(
  broker: ClusterHolder,
  { resourceType: type, resourceName: name }: Resource,
  change: { readonly apply: Change; readonly intent: Intent },
): Verdict | Promise<Verdict> {
  switch (type) {
    case resourceType.topic:
      return alterTopic(broker, name, change);
    case resourceType.broker:
      return alterBroker(broker, name, change);
    case resourceType.brokerLogger:
      return invalidRequest("Loggers are set when the broker starts and cannot be altered.");
    case resourceType.clientMetrics:
      return invalidRequest("Client metrics subscriptions are not served.");
    case resourceType.group:
      return invalidRequest("Configs of single groups cannot be altered.");
    default:
      return invalidRequest(`Unknown resource type ${type}`);
  }
}

async function alterTopic(
  broker: ClusterHolder,
  name: string,
  { apply, intent }: { readonly apply: Change; readonly intent: Intent },
): Promise<Verdict> {
  if (name === "") return invalidRequest("Default topic resources are not allowed.");
  const fault = topicNameFault(name);
  if (fault !== undefined) {
    const errorCode = ErrorCode.INVALID_TOPIC_EXCEPTION;
    return { errorCode, errorMessage: errorMessage(`Topic name is invalid: ${fault}`) };
  }
  const toTopic = (before: ReadonlyMap<string, string>): ConfigChange =>
    apply(before, topicConfigs);
  return verdictOf(await broker.cluster.setTopicConfigs(name, toTopic, intent));
}

async function alterBroker(
  broker: ClusterHolder,
  name: string,
  { apply, intent }: { readonly apply: Change; readonly intent: Intent },
): Promise<Verdict> {
  const { brokerId } = broker.cluster;
  if (name !== "" && !/^[+-]?[0-9]{1,10}$/u.test(name)) {
    return invalidRequest(`Node id must be an integer, but it is: ${name}`);
  }
  if (name !== "" && Number(name) !== brokerId) {
    return invalidRequest(`Unexpected broker id, expected ${brokerId}, but received ${name}`);
  }
  const toBroker = (before: ReadonlyMap<string, string>): ConfigChange =>
    apply(before, brokerConfigs);
  const scope = name === "" ? "cluster" : "broker";
  return configVerdict(await broker.cluster.setBrokerConfigs(scope, toBroker, intent));
}

function configVerdict(outcome: ConfigOutcome): Verdict {
  switch (outcome.kind) {
    case "done":
    case "decided":
      return success;
    case "refused": {
      const isConfig = outcome.reason === "invalidConfig";
      const errorCode = isConfig ? ErrorCode.INVALID_CONFIG : ErrorCode.INVALID_REQUEST;
      return { errorCode, errorMessage: errorMessage(outcome.message) };
    }
    case "unavailable":
      return unavailable;
  }
}

export function invalidRequest(message: string): Verdict {
  return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage: errorMessage(message) };
}

function keyOf(resource: Resource): string {
  return `${resource.resourceType}/${resource.resourceName}`;
}
