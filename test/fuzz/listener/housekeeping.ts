import { ApiKey } from "@millrace/wire";
import { type WireClient, withClient } from "../../fixtures/wire-client.ts";

const brokerResource = 4;
const canaryTopic = /^canary-/u;

/**
 * A run is one process: configs of the broker that make every produce fail, and topics that grow,
 * would be there for all later cases. So now and then both go.
 */
export function housekeep(port: number): Promise<void> {
  return withClient(port, async (client) => {
    await forgetConfigs(client);
    await deleteTopics(client);
  });
}

async function forgetConfigs(client: WireClient): Promise<void> {
  const resources = ["", "1"].map((resourceName) => ({
    ...{ resourceType: brokerResource, resourceName, configs: [] },
  }));
  const { responses } = await client.ask(ApiKey.AlterConfigs, 2, {
    ...{ resources, validateOnly: false },
  });
  for (const { errorCode, errorMessage } of responses) {
    if (errorCode !== 0) throw new Error(`can't forget the broker's configs: ${errorMessage}`);
  }
}

async function deleteTopics(client: WireClient): Promise<void> {
  const { topics } = await client.ask(ApiKey.Metadata, 9, { topics: null });
  const names = topics.flatMap(({ name }) => (name === null ? [] : [name]));
  const topicNames = names.filter((name) => !canaryTopic.test(name));
  const { responses } = await client.ask(ApiKey.DeleteTopics, 5, { topicNames, timeoutMs: 5_000 });
  for (const { name, errorCode, errorMessage } of responses) {
    if (errorCode !== 0) throw new Error(`can't delete ${name}: ${errorMessage}`);
  }
}
