import { VirtualClock } from "@millrace/adapter-memory";
import { expect, it } from "vitest";
import type { Broker } from "../broker.ts";
import { describeConfigsHandler } from "./32-describe-configs.ts";
import type { RequestContext } from "./handler.ts";

const brokerResource = 4;

it("looks up the keys that are asked for, and no others", async () => {
  const lookedUp = new Set<string>();
  const fixed = new (class extends Map<string, string> {
    override get(name: string): string | undefined {
      lookedUp.add(name);
      return undefined;
    }
  })();
  const layers = { broker: new Map(), cluster: new Map(), fixed };
  const broker = { clock: new VirtualClock(), cluster: { brokerId: 1, layers, topics: new Map() } };
  const handler = describeConfigsHandler(broker as unknown as Broker);
  const asked = { resourceType: brokerResource, resourceName: "1" };
  const describe = async (configurationKeys: string[] | null): Promise<readonly string[]> => {
    const resources = [{ ...asked, configurationKeys }];
    const request = { resources, includeSynonyms: true, includeDocumentation: true };
    const answer = await handler.handle(request, {} as RequestContext);
    return answer?.results[0]?.configs.map(({ name }) => name) ?? [];
  };
  expect(await describe(["log.retention.bytes", "nothing"])).toEqual(["log.retention.bytes"]);
  expect([...lookedUp]).toEqual(["log.retention.bytes"]);
  expect((await describe(null)).length).toBeGreaterThan(100);
});
