/**
 * IncrementalAlterConfigs v0–v1 (KIP-339): sets and deletes single configs of topics, of this
 * broker, or of all brokers (a broker without a name), and adds to and takes from lists.
 *
 * Path: each resource on its own → the cluster decides on what is set at that moment, so that two
 * clients that append at once both succeed, and writes one item → the answer leaves when it is
 * durable and in force.
 */
import { applyOperations, type ConfigOperation } from "@millrace/core";
import {
  ApiKey,
  type IncrementalAlterConfigsRequest,
  type IncrementalAlterConfigsRequestAlterableConfig,
  type IncrementalAlterConfigsResponseInput,
} from "@millrace/wire";
import type { ClusterHolder } from "./topic-outcome.ts";
import {
  alterResource,
  alterResources,
  type Change,
  entriesFault,
  invalidRequest,
} from "./alter-resource.ts";
import { configOperation } from "./config-codes.ts";
import type { Handler } from "./handler.ts";

export function incrementalAlterConfigsHandler(
  broker: ClusterHolder,
): Handler<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponseInput> {
  return {
    apiKey: ApiKey.IncrementalAlterConfigs,
    versions: { min: 0, max: 1 },
    handle: async ({ resources, validateOnly }) => {
      const intent = validateOnly ? "check" : "perform";
      const responses = await alterResources(broker, resources, (resource) => {
        const isDelete = (config: { readonly configOperation: number }): boolean =>
          config.configOperation === configOperation.delete;
        const fault = entriesFault(resource.configs, isDelete);
        if (fault !== undefined) return fault;
        const operations = operationsOf(resource.configs);
        if (typeof operations === "number") {
          return invalidRequest(`Unknown config operation ${operations}`);
        }
        const apply: Change = (before, definitions) =>
          applyOperations(before, operations, definitions);
        return alterResource(broker, resource, { apply, intent });
      });
      return { throttleTimeMs: 0, responses };
    },
  };
}

/** The operations, or the number of the first that there is not. */
function operationsOf(
  configs: readonly IncrementalAlterConfigsRequestAlterableConfig[],
): readonly ConfigOperation[] | number {
  const operations: ConfigOperation[] = [];
  for (const { name, configOperation: code, value } of configs) {
    const kind = kindOf(code);
    if (kind === undefined) return code;
    operations.push({ kind, name, value: value ?? "" });
  }
  return operations;
}

function kindOf(code: number): ConfigOperation["kind"] | undefined {
  switch (code) {
    case configOperation.set:
      return "set";
    case configOperation.delete:
      return "delete";
    case configOperation.append:
      return "append";
    case configOperation.subtract:
      return "subtract";
    default:
      return undefined;
  }
}
