/**
 * AlterConfigs v0–v2: replaces all configs of topics, of this broker, or of all brokers (a broker
 * without a name); what the request leaves out goes back to its default.
 *
 * Path: each resource on its own → the cluster decides on what is set at that moment and writes one
 * item → the answer leaves when it is durable and in force.
 */
import { type AlterConfigsRequest, type AlterConfigsResponseInput, ApiKey } from "@millrace/wire";
import type { ClusterHolder } from "./topic-outcome.ts";
import { alterResource, alterResources, type Change, entriesFault } from "./alter-resource.ts";
import type { Handler } from "./handler.ts";

export function alterConfigsHandler(
  broker: ClusterHolder,
): Handler<AlterConfigsRequest, AlterConfigsResponseInput> {
  return {
    apiKey: ApiKey.AlterConfigs,
    versions: { min: 0, max: 2 },
    handle: async ({ resources, validateOnly }) => {
      const intent = validateOnly ? "check" : "perform";
      const responses = await alterResources(broker, resources, (resource) => {
        const configs = new Map<string, string>();
        for (const { name, value } of resource.configs) configs.set(name, value ?? "");
        const apply: Change = () => ({ ok: true, configs });
        const fault = entriesFault(resource.configs, () => false);
        return fault ?? alterResource(broker, resource, { apply, intent });
      });
      return { throttleTimeMs: 0, responses };
    },
  };
}
