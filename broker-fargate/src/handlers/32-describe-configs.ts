/**
 * DescribeConfigs v1–v4: topics, this broker, the cluster-wide dynamic configs (a broker without a
 * name) and groups, with synonyms and documentation where asked.
 *
 * Path: from memory, one result for each resource, entries by name. Everything that Kafka has for a
 * topic is reported, also what has no effect here. Loggers and client metrics are refused with a
 * sentence: there is nothing behind them.
 */
import {
  type BrokerLayers,
  brokerConfig,
  brokerConfigs,
  type EffectiveConfig,
  groupConfig,
  groupConfigs,
  topicConfig,
  topicConfigs,
  topicNameFault,
} from "@millrace/core";
import {
  ApiKey,
  type DescribeConfigsRequest,
  type DescribeConfigsResource,
  type DescribeConfigsResourceResultInput,
  type DescribeConfigsResponseInput,
  type DescribeConfigsResultInput,
  ErrorCode,
} from "@millrace/wire";
import { describedConfigBytesMax } from "../limits.ts";
import { errorMessage } from "./error-message.ts";
import type { ClusterHolder } from "./topic-outcome.ts";
import { resourceType, sourceCode, typeCode, unknownConfigType } from "./config-codes.ts";
import type { Handler } from "./handler.ts";
import { inTurns } from "./in-turns.ts";
import { learnTopics, named } from "./missing-topics.ts";

type Entry = DescribeConfigsResourceResultInput;

interface Refusal {
  readonly errorCode: number;
  readonly errorMessage: string;
}

interface Asked extends Pick<DescribeConfigsRequest, "includeSynonyms" | "includeDocumentation"> {
  /** Whether topics that are not known are not there. */
  readonly isConfirmed: boolean;
}

interface Wanted extends Asked {
  /** Others are not even looked up: one key of thousands of topics is what tools ask for. */
  readonly isWanted: (name: string) => boolean;
}

/** Else a short request that names one resource again and again asks for any number of bytes. */
const tooMuch = refusal("One answer would be too large: ask for fewer resources at once.");

const notAnswered: Refusal = {
  errorCode: ErrorCode.REQUEST_TIMED_OUT,
  errorMessage: "The metadata store did not answer in time.",
};

/** Bytes of an entry in the answer, about. */
function sizeOf({ name, value, documentation, synonyms = [] }: Entry): number {
  let bytes = 16 + name.length + (value?.length ?? 0) + (documentation?.length ?? 0);
  for (const synonym of synonyms) bytes += 8 + synonym.name.length + (synonym.value?.length ?? 0);
  return bytes;
}

export function describeConfigsHandler(
  broker: ClusterHolder,
): Handler<DescribeConfigsRequest, DescribeConfigsResponseInput> {
  return {
    apiKey: ApiKey.DescribeConfigs,
    versions: { min: 1, max: 4 },
    handle: async (request) => {
      const names = request.resources
        .filter((resource) => resource.resourceType === resourceType.topic)
        .map(({ resourceName }) => named(resourceName));
      const isConfirmed = await learnTopics(broker, names);
      let room = describedConfigBytesMax;
      const results = await inTurns(broker.clock, request.resources, (resource) => {
        if (room <= 0) return refusedResult(resource, tooMuch);
        const described = result(broker, resource, { ...request, isConfirmed });
        for (const config of described.configs ?? []) room -= sizeOf(config);
        return described;
      });
      return { throttleTimeMs: 0, results };
    },
  };
}

function result(
  broker: ClusterHolder,
  resource: DescribeConfigsResource,
  asked: Asked,
): DescribeConfigsResultInput {
  const { resourceType: type, resourceName, configurationKeys } = resource;
  const keys = new Set(configurationKeys ?? []);
  const isWanted = (name: string): boolean => keys.size === 0 || keys.has(name);
  const described = entriesOf(broker, resource, { ...asked, isWanted });
  if ("errorCode" in described) return refusedResult(resource, described);
  const configs = described.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return {
    errorCode: ErrorCode.NONE,
    errorMessage: "",
    resourceType: type,
    resourceName,
    configs,
  };
}

function refusedResult(
  { resourceType: type, resourceName }: DescribeConfigsResource,
  why: Refusal,
): DescribeConfigsResultInput {
  return { ...why, resourceType: type, resourceName, configs: [] };
}

function entriesOf(
  broker: ClusterHolder,
  { resourceType: type, resourceName: name }: DescribeConfigsResource,
  wanted: Wanted,
): readonly Entry[] | Refusal {
  const { layers } = broker.cluster;
  switch (type) {
    case resourceType.topic:
      return topicEntries(broker, name, wanted);
    case resourceType.broker:
      if (name === "") return clusterEntries(layers, wanted);
      return notThisBroker(broker, name) ?? brokerEntries(layers, wanted);
    case resourceType.group:
      if (name === "") return refusal("Group name must not be empty");
      return wantedOf(groupConfigs, wanted).map((definition) =>
        entry(groupConfig(definition, layers), { ...wanted, isReadOnly: false }),
      );
    case resourceType.brokerLogger:
      return refusal("Loggers are set when the broker starts and cannot be described.");
    case resourceType.clientMetrics:
      return refusal("Client metrics subscriptions are not served.");
    default:
      return refusal(`Unknown resource type ${type}`);
  }
}

function wantedOf<Definition extends { readonly name: string }>(
  definitions: ReadonlyMap<string, Definition>,
  { isWanted }: Wanted,
): readonly Definition[] {
  return [...definitions.values()].filter(({ name }) => isWanted(name));
}

function topicEntries(
  broker: ClusterHolder,
  name: string,
  wanted: Wanted,
): readonly Entry[] | Refusal {
  const fault = topicNameFault(name);
  if (fault !== undefined) {
    const errorCode = ErrorCode.INVALID_TOPIC_EXCEPTION;
    return { errorCode, errorMessage: errorMessage(`Topic name is invalid: ${fault}`) };
  }
  const topic = broker.cluster.topics.byName(name);
  if (topic === undefined && !wanted.isConfirmed) return notAnswered;
  if (topic === undefined) {
    return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage: "" };
  }
  return wantedOf(topicConfigs, wanted).map((definition) =>
    entry(topicConfig(definition, topic.configs, broker.cluster.layers), {
      ...wanted,
      isReadOnly: false,
    }),
  );
}

function brokerEntries(layers: BrokerLayers, wanted: Wanted): readonly Entry[] {
  return wantedOf(brokerConfigs, wanted).flatMap(({ name, update }) => {
    const config = brokerConfig(name, layers);
    const isReadOnly = update === "readOnly";
    return config === undefined ? [] : [entry(config, { ...wanted, isReadOnly })];
  });
}

/** Only what was set for all brokers, as it was given, and nothing that it overrides. */
function clusterEntries({ cluster }: BrokerLayers, wanted: Wanted): readonly Entry[] {
  const layers = { broker: new Map(), cluster, fixed: new Map() };
  return [...cluster.keys()].filter(wanted.isWanted).map((name) => {
    const config = brokerConfig(name, layers);
    if (config === undefined) return foreignEntry(name);
    const synonyms = config.synonyms.filter(({ source }) => source === "dynamicDefaultBroker");
    const text = cluster.get(name) ?? null;
    return entry({ ...config, text, synonyms }, { ...wanted, isReadOnly: false });
  });
}

/** A key that nobody here knows: its value might be a secret. */
function foreignEntry(name: string): Entry {
  const configSource = sourceCode("dynamicDefaultBroker");
  const synonyms = [{ name, value: null, source: configSource }];
  const shown = { value: null, readOnly: true, isSensitive: true, synonyms };
  return { name, ...shown, configSource, configType: unknownConfigType, documentation: null };
}

function entry(
  { definition, text, source, synonyms }: EffectiveConfig,
  wanted: Wanted & { readonly isReadOnly: boolean },
): Entry {
  const isSensitive = definition.type === "password";
  const shown = (value: string | null): string | null => (isSensitive ? null : value);
  return {
    name: definition.name,
    value: shown(text),
    readOnly: wanted.isReadOnly,
    configSource: sourceCode(source),
    isSensitive,
    synonyms: wanted.includeSynonyms
      ? synonyms.map(({ name, value, source: from }) => ({
          name,
          value: shown(value),
          source: sourceCode(from),
        }))
      : [],
    configType: typeCode(definition.type),
    documentation: wanted.includeDocumentation ? definition.documentation : null,
  };
}

function notThisBroker(broker: ClusterHolder, name: string): Refusal | undefined {
  const { brokerId } = broker.cluster;
  if (!/^[+-]?[0-9]{1,10}$/u.test(name)) {
    return refusal(`Broker id must be an integer, but it is: ${name}`);
  }
  if (Number(name) === brokerId) return undefined;
  return refusal(
    `Unexpected broker id, expected ${brokerId} or empty string, but received ${name}`,
  );
}

function refusal(message: string): Refusal {
  return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage: errorMessage(message) };
}
