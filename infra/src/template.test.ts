import { App, Stack } from "aws-cdk-lib";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { provisionerFields, variableName } from "../../functions/src/environment.ts";
import { addChecks, flags } from "./app.ts";
import { brokerSignals, signalSelector } from "./broker-signals.ts";
import { ofType, type Resource, type Resources, synthesised } from "./fixtures.ts";

const image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/millrace:0.1.0";
const everything = {
  name: "orders",
  onDelete: "destroy",
  keepDeletedObjectsDays: 7,
  network: {
    zones: 3,
    brokersIn: "isolated",
    interfaceEndpoints: ["ecrApi", "ecrDkr", "logs", "ssm"],
    clientCidrs: ["10.0.0.0/8"],
    flowLogs: true,
  },
  api: { requestsPerSecond: 10, requestBurst: 20 },
  jwt: { issuer: "https://id.example", audience: "millrace" },
  alarmTopicArn: "arn:aws:sns:eu-west-1:123456789012:alarms",
  containerInsights: true,
  publicDocs: false,
  dashboard: false,
} as const;

/** Synthesised once: each takes seconds. */
const templates: {
  smallest?: Resources;
  everything?: Resources;
  balanced?: Resources;
  text?: string;
} = {};

beforeAll(() => {
  const smallest = synthesised({ brokers: { image } });
  templates.smallest = smallest.resources;
  templates.text = smallest.text;
  templates.everything = synthesised(everything).resources;
  const network = { loadBalancerListeners: 3, clientCidrs: ["10.0.0.0/8"] };
  templates.balanced = synthesised({ brokers: { image }, network }).resources;
}, 120_000);

function found(resources: Resources | undefined, type: string): readonly Resource[] {
  return ofType(resources ?? {}, type);
}

const smallest = (type: string): readonly Resource[] => found(templates.smallest, type);
const full = (type: string): readonly Resource[] => found(templates.everything, type);

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

function statements(resources: Resources | undefined): readonly Statement[] {
  return found(resources, "AWS::IAM::Policy").flatMap(({ Properties }) => {
    const { Statement } = Properties["PolicyDocument"] as { readonly Statement: Statement[] };
    return Statement;
  });
}

interface Made {
  readonly MetricName: string;
  readonly MetricNamespace: string;
}

describe("the template", () => {
  it("is the one that was looked at", async () => {
    await expect(templates.text).toMatchFileSnapshot("template.snap");
  });

  it.each(["AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::ElasticLoadBalancingV2::LoadBalancer"])(
    "has no %s",
    (type) => {
      expect(smallest(type)).toEqual([]);
      expect(full(type)).toEqual([]);
    },
  );

  it("keeps all that holds data when the stack goes, unless it is told otherwise", () => {
    for (const type of ["AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::Logs::LogGroup"]) {
      expect(smallest(type).length).toBeGreaterThan(0);
      for (const each of smallest(type)) expect(each.DeletionPolicy).toBe("Retain");
      for (const each of full(type)) expect(each.DeletionPolicy).toBe("Delete");
    }
    const [table] = smallest("AWS::DynamoDB::Table");
    expect(table?.Properties).toMatchObject({
      BillingMode: "PAY_PER_REQUEST",
      DeletionProtectionEnabled: true,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    });
  });

  it("expires no object that is current", () => {
    for (const [bucket] of [smallest("AWS::S3::Bucket"), full("AWS::S3::Bucket")]) {
      const text = JSON.stringify(bucket?.Properties["LifecycleConfiguration"]);
      expect(text).toContain("AbortIncompleteMultipartUpload");
      expect(text).not.toMatch(/"Expiration(InDays|Date)"|"Transition/u);
    }
    expect(full("AWS::S3::Bucket")[0]?.Properties).toMatchObject({
      VersioningConfiguration: { Status: "Enabled" },
    });
    expect(smallest("AWS::S3::Bucket")[0]?.Properties).not.toHaveProperty(
      "VersioningConfiguration",
    );
  });

  it("lets nobody from outside connect to a broker", () => {
    const inbound = [...smallest("AWS::EC2::SecurityGroup"), ...full("AWS::EC2::SecurityGroup")]
      .flatMap(
        ({ Properties }) => (Properties["SecurityGroupIngress"] as object[] | undefined) ?? [],
      )
      .concat(smallest("AWS::EC2::SecurityGroupIngress").map(({ Properties }) => Properties));
    expect(inbound.length).toBeGreaterThan(0);
    expect(JSON.stringify(inbound)).not.toMatch(/0\.0\.0\.0\/0|::\/0/u);
    for (const rule of inbound) expect([443, 9098]).toContain(Reflect.get(rule, "FromPort"));
  });

  it("lets brokers of clusters reach clusters' tables and objects, and not the control table", () => {
    const all = statements(templates.smallest);
    const tables = all.filter(({ Action }) => JSON.stringify(Action).includes("dynamodb:"));
    expect(JSON.stringify(tables)).toContain(":table/millrace-cl_*");
    const role = found(templates.smallest, "AWS::IAM::Policy").find(({ Properties }) =>
      JSON.stringify(Properties["Roles"]).includes("TaskRole"),
    );
    const text = JSON.stringify(role?.Properties);
    expect(text).toContain("/cl_*");
    expect(text).not.toContain("ControlTable");
    expect(text).not.toMatch(/"(dynamodb|s3|ssm|ecs):\*"/u);
  });

  it("grants no action by a pattern", () => {
    for (const resources of [templates.smallest, templates.everything]) {
      const allowed = statements(resources).filter(({ Effect }) => Effect === "Allow");
      expect(allowed.length).toBeGreaterThan(10);
      for (const { Action } of allowed) expect(JSON.stringify(Action)).not.toContain("*");
    }
  });

  it("gives each function all the variables that it reads", () => {
    const provisioner = smallest("AWS::Lambda::Function").find(({ Properties }) =>
      JSON.stringify(Properties["Environment"]).includes(variableName("ecsCluster")),
    );
    const set = provisioner?.Properties["Environment"];
    const { Variables } = (set ?? {}) as { readonly Variables?: object };
    for (const field of provisionerFields) expect(Variables).toHaveProperty(variableName(field));
    for (const { Properties } of smallest("AWS::Lambda::Function")) {
      expect(Properties).toMatchObject({ Architectures: ["arm64"], Runtime: "nodejs24.x" });
    }
  });

  it("asks for a login on every route but those of the description, and there by a prop", () => {
    const routes = (all: readonly Resource[]): readonly string[] =>
      all.map(
        ({ Properties }) =>
          `${String(Properties["RouteKey"])} ${String(Properties["AuthorizationType"])}`,
      );
    const guarded = ["ANY /iam/v1/{proxy+} AWS_IAM", "ANY /v1/{proxy+} CUSTOM"];
    expect(routes(full("AWS::ApiGatewayV2::Route")).toSorted()).toEqual(guarded);
    expect(routes(smallest("AWS::ApiGatewayV2::Route")).toSorted()).toEqual([
      ...guarded,
      "GET /docs NONE",
      "GET /docs/{proxy+} NONE",
      "GET /openapi.json NONE",
    ]);
  });

  it("bounds what the API takes of all callers together, by a prop", () => {
    const bounds = (all: readonly Resource[]): unknown =>
      all.map(({ Properties }) => Properties["DefaultRouteSettings"]);
    expect(bounds(smallest("AWS::ApiGatewayV2::Stage"))).toEqual([
      { ThrottlingRateLimit: 50, ThrottlingBurstLimit: 100 },
    ]);
    expect(bounds(full("AWS::ApiGatewayV2::Stage"))).toEqual([
      { ThrottlingRateLimit: 10, ThrottlingBurstLimit: 20 },
    ]);
  });

  it("caches no login, so that a deleted key opens nothing", () => {
    const [authorizer] = smallest("AWS::ApiGatewayV2::Authorizer");
    expect(authorizer?.Properties).toMatchObject({
      AuthorizerResultTtlInSeconds: 0,
      EnableSimpleResponses: true,
    });
  });

  it("tells a topic of its alarms, and keeps each log for a time", () => {
    for (const { Properties } of full("AWS::CloudWatch::Alarm")) {
      expect(Properties["AlarmActions"]).toEqual([everything.alarmTopicArn]);
    }
    expect(smallest("AWS::CloudWatch::Alarm")).toHaveLength(20);
    for (const { Properties } of smallest("AWS::Logs::LogGroup")) {
      expect(Properties["RetentionInDays"]).toBe(30);
    }
  });

  it("makes each metric that its own alarms look at of logs, and every signal of brokers is one", () => {
    const alarmed = smallest("AWS::CloudWatch::Alarm").flatMap(({ Properties }) =>
      Properties["Namespace"] === "Millrace/millrace" ? [String(Properties["MetricName"])] : [],
    );
    const filters = smallest("AWS::Logs::MetricFilter").map(({ Properties }) => Properties);
    const made = filters.flatMap((each) => each["MetricTransformations"] as readonly Made[]);
    expect(alarmed.toSorted()).toEqual(made.map(({ MetricName }) => MetricName).toSorted());
    for (const { MetricNamespace } of made) expect(MetricNamespace).toBe("Millrace/millrace");
    for (const { name } of brokerSignals) {
      const selector = `$.signals.${name}`;
      expect(signalSelector(name)).toBe(selector);
      expect(alarmed).toContain(name);
      expect(filters).toContainEqual(
        expect.objectContaining({
          FilterPattern: `{ ${selector} >= 0 }`,
          MetricTransformations: [
            { MetricName: name, MetricNamespace: "Millrace/millrace", MetricValue: selector },
          ],
        }),
      );
    }
  });

  it("has a load balancer with a listener for each broker by a prop, which nobody from outside reaches", () => {
    const of = (type: string) =>
      found(templates.balanced, `AWS::ElasticLoadBalancingV2::${type}`).map(
        ({ Properties }) => Properties,
      );
    expect(of("LoadBalancer")).toMatchObject([{ Scheme: "internal", Type: "network" }]);
    const attributes = JSON.stringify(of("LoadBalancer")[0]?.["LoadBalancerAttributes"]);
    expect(attributes).toContain('{"Key":"load_balancing.cross_zone.enabled","Value":"true"}');
    expect(of("Listener")).toMatchObject(
      [9201, 9202, 9203].map((Port) => ({
        ...{ Port, Protocol: "TCP", DefaultActions: [{ Type: "forward" }] },
      })),
    );
    for (const group of of("TargetGroup")) {
      expect(group).toMatchObject({ Port: 9098, Protocol: "TCP", TargetType: "ip" });
    }
    const targets = of("Listener").map(({ DefaultActions }) => JSON.stringify(DefaultActions));
    expect(new Set(targets).size).toBe(3);
    const text = JSON.stringify(templates.balanced);
    expect(text).not.toMatch(/"CidrIp":"0\.0\.0\.0\/0","Description":"[^"]*","FromPort":9/u);
    const environments = found(templates.balanced, "AWS::Lambda::Function").map((each) =>
      JSON.stringify(each.Properties["Environment"]),
    );
    const told = environments.find((each) => each.includes("MILLRACE_LOAD_BALANCER"));
    expect(told).toContain("DNSName");
    for (const port of [9201, 9202, 9203]) expect(told).toMatch(new RegExp(`[|,]${port}=`));
    const policies = statements(templates.balanced).map((each) => JSON.stringify(each));
    expect(policies.filter((each) => each.includes("parameter/millrace/listeners/*"))).toHaveLength(
      1,
    );
    expect(JSON.stringify(statements(templates.balanced))).not.toContain("elasticloadbalancing");
  });

  it("spans three zones, and has endpoints, flow logs and insights, where it is told to", () => {
    expect(full("AWS::EC2::Subnet")).toHaveLength(3);
    expect(full("AWS::EC2::InternetGateway")).toEqual([]);
    expect(full("AWS::EC2::VPCEndpoint")).toHaveLength(6);
    expect(full("AWS::EC2::FlowLog")).toHaveLength(1);
    expect(JSON.stringify(full("AWS::ECS::Cluster"))).toContain('"enabled"');
    expect(full("AWS::CloudWatch::Dashboard")).toEqual([]);
  });
});

it("a finding of cdk-nag without a reason ends the synth", () => {
  const outdir = mkdtempSync(join(tmpdir(), "millrace-nag-"));
  try {
    const app = new App({ outdir, context: flags });
    addChecks(app);
    new Bucket(new Stack(app, "Open"), "Bucket", { enforceSSL: false });
    expect(() => app.synth()).toThrow(/AwsSolutions-S10/u);
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
});
