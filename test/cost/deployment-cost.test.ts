import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Resources } from "../../infra/src/fixtures.ts";
import { deploymentLines, deploymentSection } from "./deployment-cost.ts";
import { readPrices } from "./prices.ts";

const prices = readPrices();
const bare: Resources = {
  Function: { Type: "AWS::Lambda::Function", Properties: { MemorySize: 1024 } },
  Sweep: { Type: "AWS::Events::Rule", Properties: { ScheduleExpression: "rate(5 minutes)" } },
};

function listOf(resources: Resources): number {
  return deploymentLines({ ...bare, ...resources }, prices).reduce(
    (sum, { list }) => sum + list,
    0,
  );
}

const least = listOf({});

it.each<readonly [string, Resources[string], number]>([
  ["an alarm", { Type: "AWS::CloudWatch::Alarm", Properties: {} }, 0.1],
  [
    "an alarm over three metrics",
    {
      Type: "AWS::CloudWatch::Alarm",
      Properties: {
        Metrics: [{ Expression: "a+b+c" }, ...[1, 2, 3].map(() => ({ MetricStat: {} }))],
      },
    },
    0.3,
  ],
  ["a dashboard", { Type: "AWS::CloudWatch::Dashboard", Properties: {} }, 3],
  ["a namespace", { Type: "AWS::ServiceDiscovery::PrivateDnsNamespace", Properties: {} }, 0.5],
  [
    "a gateway endpoint",
    { Type: "AWS::EC2::VPCEndpoint", Properties: { VpcEndpointType: "Gateway" } },
    0,
  ],
  [
    "an interface endpoint in two zones",
    {
      Type: "AWS::EC2::VPCEndpoint",
      Properties: { VpcEndpointType: "Interface", SubnetIds: [1, 2] },
    },
    14.6,
  ],
  ["a bucket", { Type: "AWS::S3::Bucket", Properties: {} }, 0],
])("%s adds its price", (_what, resource, usd) => {
  expect(listOf({ Added: resource }) - least).toBeCloseTo(usd, 6);
});

it("a resource of which nobody said what it costs ends the count", () => {
  const gateway = { Type: "AWS::EC2::NatGateway", Properties: {} };
  expect(() => listOf({ gateway })).toThrow("what costs AWS::EC2::NatGateway?");
});

it("the README says what docs/cost.md counts", () => {
  const text = (name: string): string =>
    readFileSync(join(import.meta.dirname, "../..", name), "utf8");
  const [, list, beyondFree] =
    /\*\*together\*\*[ |]+\*\*([\d.]+)\*\*[ |]+\*\*([\d.]+)\*\*/u.exec(text("docs/cost.md")) ?? [];
  const said = /costs \[\$ (\d+) a month\]\(docs\/cost\.md\)[^$]+\$ (\d+) /u.exec(
    text("README.md"),
  );
  expect(said?.slice(1)).toEqual([beyondFree, list].map((usd) => Number(usd).toFixed(0)));
});

it("what every account has free is left out of the second sum", () => {
  const dashboard = { Type: "AWS::CloudWatch::Dashboard", Properties: {} };
  const lines = deploymentLines({ ...bare, dashboard }, prices);
  const line = lines.find(({ name }) => name === "dashboards");
  expect(line).toMatchObject({ count: 1, list: 3, beyondFree: 0 });
  const table = (_head: readonly string[], rows: readonly (readonly string[])[]): string =>
    rows.map((row) => row.join(" ")).join("\n");
  const section = deploymentSection({ resources: bare, prices, cluster: 11, table }).join("\n");
  expect(section).toContain("the idle cluster, above 1 11.00 11.00");
});
