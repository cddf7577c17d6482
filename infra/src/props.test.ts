import { describe, expect, it } from "vitest";
import { clusterCallMsMax } from "../../control-api/src/limits.ts";
import { connectTimeoutMsDefault } from "../../sdk/src/limits.ts";
import { type DeploymentProps, PropsError, settingsOf } from "./props.ts";

function refusal(props: unknown): readonly string[] {
  try {
    settingsOf(props as DeploymentProps);
  } catch (error) {
    if (error instanceof PropsError) return error.message.split("\n").slice(1);
    throw error;
  }
  return [];
}

describe("the props of a deployment", () => {
  it("all have a default", () => {
    const settings = settingsOf({});
    expect(settings).toMatchObject({ name: "millrace", onDelete: "retain", jwt: undefined });
    expect(settings.network).toMatchObject({ zones: 2, brokersIn: "public" });
  });

  it("let the API say itself that a cluster does not answer, before its function is ended", () => {
    const { apiTimeoutSeconds } = settingsOf({}).functions;
    // Most requests are two calls, one after the other.
    expect(2 * clusterCallMsMax).toBeLessThan(apiTimeoutSeconds * 1_000 - 2_000);
    // A first broker that can't be connected to leaves time for the next.
    expect(clusterCallMsMax).toBeGreaterThan(connectTimeoutMsDefault);
  });

  it.each([
    [
      { name: "My Kafka" },
      'name is "My Kafka": allowed is 1 to 16 of a-z, 0-9 and -, a letter first',
    ],
    [{ onDelete: "keep" }, 'onDelete is "keep": allowed is retain, destroy'],
    [
      { keepDeletedObjectsDays: 1.5 },
      "keepDeletedObjectsDays is 1.5: allowed is a whole number from 0 to 365",
    ],
    [{ domain: "internal" }, 'domain is "internal": allowed is a domain of at least two labels'],
    [{ network: { cidr: "10.0.0.0/8" } }, 'network.cidr is "10.0.0.0/8": allowed is an IPv4 block'],
    [
      { network: { cidr: "10.0.0.300/20" } },
      'network.cidr is "10.0.0.300/20": allowed is an IPv4 block',
    ],
    [{ network: { zones: 1 } }, "network.zones is 1: allowed is a whole number from 2 to 3"],
    [
      { network: { interfaceEndpoints: ["s3"] } },
      'network.interfaceEndpoints is ["s3"]: allowed is a list, each ecrApi, ecrDkr, logs, ssm',
    ],
    [
      { network: { clientCidrs: "10.0.0.0/8" } },
      'network.clientCidrs is "10.0.0.0/8": allowed is a list',
    ],
    [
      { network: { loadBalancerListeners: 17 } },
      "network.loadBalancerListeners is 17: allowed is a whole number from 0 to 16",
    ],
    [{ network: [] }, "network is []: allowed is an object"],
    [{ network: 3 }, "network is 3: allowed is an object"],
    [
      { brokers: { diskGiB: 500 } },
      "brokers.diskGiB is 500: allowed is a whole number from 20 to 200",
    ],
    [{ brokers: { image: "millrace" } }, 'brokers.image is "millrace": allowed is an image\'s URI'],
    [
      { functions: { apiTimeoutSeconds: 30 } },
      "functions.apiTimeoutSeconds is 30: allowed is a whole number from 3 to 29",
    ],
    [
      { api: { requestsPerSecond: 0 } },
      "api.requestsPerSecond is 0: allowed is a whole number from 1 to 10000",
    ],
    [
      { api: { burst: 5 } },
      "api.burst is not a prop: there are api.requestsPerSecond, api.requestBurst",
    ],
    [{ logRetentionDays: 31 }, "logRetentionDays is 31: allowed is 1, 3, 5"],
    [{ dashboard: "no" }, 'dashboard is "no": allowed is true or false'],
    [{ alarmTopicArn: "arn:aws:sqs:eu-west-1:123456789012:q" }, "alarmTopicArn is"],
    [
      { jwt: { issuer: "http://id.example", audience: "a" } },
      'jwt.issuer is "http://id.example": allowed is an https URL',
    ],
    [{ jwt: { issuer: "https://id.example" } }, "jwt.audience is absent: allowed is"],
    [{ retention: 3 }, "retention is not a prop: there are name, onDelete"],
    [
      { brokers: { disk: 20 } },
      "brokers.disk is not a prop: there are brokers.image, brokers.diskGiB",
    ],
  ])("%j is refused by a line that says what is allowed", (props, line) => {
    expect(refusal(props)).toEqual([expect.stringContaining(line)]);
  });

  it("are refused together: each has its line", () => {
    expect(refusal({ name: "", network: { zones: 9 }, dashboard: 1 })).toHaveLength(3);
  });

  it("lead brokers without a way to the internet over endpoints", () => {
    const network = { brokersIn: "isolated", interfaceEndpoints: ["logs"] } as const;
    expect(refusal({ network })).toEqual([
      'network.brokersIn is "isolated": network.interfaceEndpoints must then have ecrApi, ecrDkr, ssm too',
    ]);
  });

  it("find the issuer's keys where they usually are", () => {
    const { jwt } = settingsOf({ jwt: { issuer: "https://id.example/", audience: "millrace" } });
    expect(jwt?.keysUrl).toBe("https://id.example/.well-known/jwks.json");
  });
});
