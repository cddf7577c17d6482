/**
 * What the synthesised template costs when nobody asks anything of it, beside the cluster's own
 * month: each of its resources is either priced here, or of a type that is known to cost nothing.
 */
import type { Resource, Resources } from "../../infra/src/fixtures.ts";
import type { Prices } from "./prices.ts";

export interface DeploymentLine {
  readonly name: string;
  readonly count: number;
  /** US dollars a month by the list. */
  readonly list: number;
  /** Beyond what every account has free for ever. */
  readonly beyondFree: number;
}

/** Types that cost nothing by being there; what is asked of them is counted elsewhere, or is idle. */
const free: ReadonlySet<string> = new Set([
  ...["Vpc", "VPC", "Subnet", "RouteTable", "SubnetRouteTableAssociation", "Route"].map(ec2),
  ...["InternetGateway", "VPCGatewayAttachment", "SecurityGroup"].map(ec2),
  ...["SecurityGroupIngress", "SecurityGroupEgress", "FlowLog"].map(ec2),
  ...["AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::DynamoDB::Table", "AWS::ECS::Cluster"],
  ...["AWS::Logs::LogGroup", "AWS::IAM::Role", "AWS::IAM::Policy", "AWS::Lambda::Function"],
  ...["AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission"],
  ...["Api", "Integration", "Route", "Authorizer", "Stage"].map(
    (type) => `AWS::ApiGatewayV2::${type}`,
  ),
]);

function ec2(type: string): string {
  return `AWS::EC2::${type}`;
}

/** The provisioner is started so often by the schedule, and takes about a second each time. */
const sweepSeconds = 1;
const minutesOfHour = 60;
/** Compressed, as a registry keeps it: the base, the broker, and packages with binaries. */
const imageGb = 0.07;
const freeAlarmMetrics = 10;
const freeMetrics = 10;
const freeDashboards = 3;
const freeGbSeconds = 400_000;
const freeInvocations = 1e6;

/** Throws where the template has a type of which nobody said what it costs. */
export function deploymentLines(resources: Resources, prices: Prices): readonly DeploymentLine[] {
  const all = Object.values(resources);
  const of = (type: string): readonly Resource[] => all.filter(({ Type }) => Type === type);
  const priced = [
    ...["AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::Logs::MetricFilter"],
    ...["AWS::ServiceDiscovery::PrivateDnsNamespace", "AWS::Events::Rule", "AWS::EC2::VPCEndpoint"],
  ];
  const unknown = all.filter(({ Type }) => !free.has(Type) && !priced.includes(Type));
  if (unknown.length > 0) {
    throw new Error(`what costs ${[...new Set(unknown.map(({ Type }) => Type))].join(", ")}?`);
  }
  const { hoursPerMonth, of: price } = prices;
  const unit = (name: string, count: number, usd: number, freeCount = 0): DeploymentLine => {
    return { name, count, list: count * usd, beyondFree: Math.max(0, count - freeCount) * usd };
  };
  const alarmMetrics = of("AWS::CloudWatch::Alarm").reduce(
    (sum, alarm) => sum + metricsOf(alarm),
    0,
  );
  const interfaces = of("AWS::EC2::VPCEndpoint").flatMap(({ Properties }) =>
    Properties["VpcEndpointType"] === "Interface" ? (Properties["SubnetIds"] as unknown[]) : [],
  );
  const sweeps = of("AWS::Events::Rule").reduce(
    (sum, { Properties }) => sum + perHour(Properties["ScheduleExpression"]) * hoursPerMonth,
    0,
  );
  const gbSeconds = sweeps * sweepSeconds * provisionerGb(of("AWS::Lambda::Function"));
  return [
    unit("metrics that alarms look at", alarmMetrics, price.alarmMetricMonth.usd, freeAlarmMetrics),
    // The one that every sweep reports; the others are there when something is wrong.
    unit("metrics of our own", 1, price.metricMonth.usd, freeMetrics),
    unit(
      "dashboards",
      of("AWS::CloudWatch::Dashboard").length,
      price.dashboardMonth.usd,
      freeDashboards,
    ),
    unit(
      "DNS namespaces",
      of("AWS::ServiceDiscovery::PrivateDnsNamespace").length,
      price.hostedZoneMonth.usd,
    ),
    unit(
      "interface endpoints, by zone",
      interfaces.length,
      price.interfaceEndpointHour.usd * hoursPerMonth,
    ),
    unit("sweeps", sweeps, price.lambdaMillion.usd / 1e6, freeInvocations),
    unit("GB-seconds of sweeps", gbSeconds, price.lambdaGbSecond.usd, freeGbSeconds),
    unit("GB of images", imageGb, price.registryGbMonth.usd),
  ];
}

/** An alarm over an expression is billed by the metrics in it. */
function metricsOf({ Properties }: Resource): number {
  const metrics = Properties["Metrics"] as readonly { readonly MetricStat?: object }[] | undefined;
  return metrics?.filter(({ MetricStat }) => MetricStat !== undefined).length ?? 1;
}

function perHour(expression: unknown): number {
  const [, count] = /^rate\((\d+) minutes?\)$/u.exec(String(expression)) ?? [];
  if (count === undefined) throw new Error(`how often is ${String(expression)}?`);
  return minutesOfHour / Number(count);
}

function provisionerGb(functions: readonly Resource[]): number {
  return Math.max(...functions.map(({ Properties }) => Number(Properties["MemorySize"]))) / 1024;
}

export function deploymentSection(at: {
  readonly resources: Resources;
  readonly prices: Prices;
  /** US dollars of the idle cluster's month. */
  readonly cluster: number;
  readonly table: (head: readonly string[], rows: readonly (readonly string[])[]) => string;
}): readonly string[] {
  const { cluster, prices, resources, table } = at;
  const lines = deploymentLines(resources, prices).filter(({ count }) => count > 0);
  const sum = (of: "list" | "beyondFree"): number =>
    lines.reduce((total, line) => total + line[of], cluster);
  const shown = (count: number): string =>
    Number.isInteger(count) ? count.toLocaleString("en-US") : count.toFixed(2);
  const month = prices.of.mskServerlessHour.usd * prices.hoursPerMonth;
  const rows = lines.map(({ beyondFree, count, list, name }) => [
    ...[name, shown(count), list.toFixed(2), beyondFree.toFixed(2)],
  ]);
  const total = [
    "**together**",
    "",
    `**${sum("list").toFixed(2)}**`,
    `**${sum("beyondFree").toFixed(2)}**`,
  ];
  const idle = ["the idle cluster, above", "1", cluster.toFixed(2), cluster.toFixed(2)];
  return [
    "## The smallest deployment",
    `What \`cdk deploy\` makes when it is told nothing, by the synthesised template, with one idle cluster of one broker. The last column leaves out
what every account has free for as long as it is there. Not in it: the API's own requests ($ 1 a million, and Lambda's), and logs.`,
    table(["", "", "$ a month, list", "$ beyond what is free"], [idle, ...rows, total]),
    `MSK Serverless: $ ${month.toFixed(2)}. Without its dashboard (a prop) the deployment is $ ${(sum("list") - priceOf(lines, "dashboards")).toFixed(2)} by the list.`,
  ];
}

function priceOf(lines: readonly DeploymentLine[], name: string): number {
  return lines.find((line) => line.name === name)?.list ?? 0;
}
