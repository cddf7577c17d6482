/**
 * ListConfigResources v0–v1 (KIP-1142): what has configs here: topics and live brokers. Groups,
 * loggers and subscriptions of client metrics have none of their own, so none is listed.
 *
 * Version 0 asks for client metrics only; no types in version 1 mean all of them. An unknown type is
 * answered UNSUPPORTED_VERSION, as Kafka does.
 */
import {
  ApiKey,
  type ConfigResourceInput,
  ErrorCode,
  type ListConfigResourcesRequest,
  type ListConfigResourcesResponseInput,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import { resourceType } from "./config-codes.ts";
import type { Handler } from "./handler.ts";

type Listed = Pick<Broker, "cluster" | "view">;
type Listener = Parameters<Broker["view"]["endpoints"]>[0];

const listedTypes: ReadonlySet<number> = new Set(Object.values(resourceType));

export function listConfigResourcesHandler(
  broker: Listed,
): Handler<ListConfigResourcesRequest, ListConfigResourcesResponseInput> {
  return {
    apiKey: ApiKey.ListConfigResources,
    versions: { min: 0, max: 1 },
    handle: ({ resourceTypes }, { apiVersion, connection: { listener } }) => {
      const asked = new Set(resourceTypes.length === 0 ? listedTypes : resourceTypes);
      const isKnown = [...asked].every((type) => listedTypes.has(type));
      const isForMetricsOnly = apiVersion === 0;
      const configResources: ConfigResourceInput[] = [];
      if (isKnown && !isForMetricsOnly && asked.has(resourceType.topic)) {
        configResources.push(...topicsOf(broker));
      }
      if (isKnown && !isForMetricsOnly && asked.has(resourceType.broker)) {
        configResources.push(...brokersOf(broker, listener));
      }
      const errorCode = isKnown ? ErrorCode.NONE : ErrorCode.UNSUPPORTED_VERSION;
      return { throttleTimeMs: 0, errorCode, configResources };
    },
  };
}

function topicsOf(broker: Listed): readonly ConfigResourceInput[] {
  return broker.cluster.topics.list().map(({ name }) => {
    return { resourceName: name, resourceType: resourceType.topic };
  });
}

function brokersOf(broker: Listed, listener: Listener): readonly ConfigResourceInput[] {
  return broker.view.endpoints(listener).map(({ brokerId }) => {
    return { resourceName: String(brokerId), resourceType: resourceType.broker };
  });
}
