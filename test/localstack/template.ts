import { randomBytes } from "node:crypto";
import type { Resources } from "../../infra/src/fixtures.ts";
import { Aws } from "./aws.ts";

/** Its own at each run: an endpoint that was named may have those of others. */
const stackName = `millrace-${randomBytes(4).toString("hex")}`;
const version = "2010-05-15";
const assets = "cdk-hnb659fds-assets-123456789012-us-east-1";
/** A zip archive of nothing: what is in a function's is not looked at here. */
const emptyZip = Buffer.from("504b0506000000000000000000000000000000000000", "hex");

/**
 * Types that the stand-in (moto 5.2.5) does not make: only the template's own tests, and a real
 * account, say anything of these. What refers to them is given a text instead.
 */
const skipped: readonly string[] = [
  "AWS::ApiGatewayV2::Api",
  "AWS::ApiGatewayV2::Authorizer",
  "AWS::ApiGatewayV2::Integration",
  "AWS::ApiGatewayV2::Route",
  "AWS::ApiGatewayV2::Stage",
  "AWS::CloudWatch::Alarm",
  "AWS::EC2::SecurityGroupEgress",
  "AWS::Logs::MetricFilter",
  "AWS::S3::BucketPolicy",
  "AWS::ServiceDiscovery::PrivateDnsNamespace",
];

/** How each type's resources are read back: the text of an answer in which each has its name. */
const readers: Readonly<Record<string, (aws: Aws) => Promise<string>>> = {
  "AWS::EC2::VPC": (aws) => ec2(aws, "DescribeVpcs"),
  "AWS::EC2::Subnet": (aws) => ec2(aws, "DescribeSubnets"),
  "AWS::EC2::RouteTable": (aws) => ec2(aws, "DescribeRouteTables"),
  "AWS::EC2::SubnetRouteTableAssociation": (aws) => ec2(aws, "DescribeRouteTables"),
  "AWS::EC2::InternetGateway": (aws) => ec2(aws, "DescribeInternetGateways"),
  "AWS::EC2::VPCEndpoint": (aws) => ec2(aws, "DescribeVpcEndpoints"),
  "AWS::EC2::SecurityGroup": (aws) => ec2(aws, "DescribeSecurityGroups"),
  "AWS::S3::Bucket": (aws) => aws.rest("s3", "/"),
  "AWS::DynamoDB::Table": (aws) => aws.json("dynamodb", "DynamoDB_20120810.ListTables", {}),
  "AWS::ECS::Cluster": (aws) =>
    aws.json("ecs", "AmazonEC2ContainerServiceV20141113.ListClusters", {}),
  "AWS::Logs::LogGroup": (aws) => aws.json("logs", "Logs_20140328.DescribeLogGroups", {}),
  "AWS::EC2::VPCGatewayAttachment": (aws) => ec2(aws, "DescribeInternetGateways"),
  "AWS::IAM::Policy": (aws) =>
    aws.query("iam", "2010-05-08", { Action: "GetAccountAuthorizationDetails" }),
  "AWS::IAM::Role": (aws) => aws.query("iam", "2010-05-08", { Action: "ListRoles" }),
  "AWS::Lambda::Function": (aws) => aws.rest("lambda", "/2015-03-31/functions/"),
  "AWS::Lambda::EventSourceMapping": (aws) =>
    aws.rest("lambda", "/2015-03-31/event-source-mappings/"),
  "AWS::Events::Rule": (aws) => aws.json("events", "AWSEvents.ListRules", {}),
  "AWS::CloudWatch::Dashboard": (aws) =>
    aws.query("monitoring", "2010-08-01", { Action: "ListDashboards" }),
};

/** What has no name of its own: how many of the template's are found in what they are part of. */
const counters: Readonly<Record<string, (aws: Aws, made: readonly Made[]) => Promise<number>>> = {
  "AWS::EC2::Route": async (aws) => {
    const tables = await ec2(aws, "DescribeRouteTables");
    return [...tables.matchAll(/<gatewayId>igw-/gu)].length;
  },
  "AWS::EC2::SecurityGroupIngress": async (aws) => {
    const groups = await ec2(aws, "DescribeSecurityGroups");
    const rules = [...groups.matchAll(/<ipPermissions>(.*?)<\/ipPermissions>/gsu)];
    // Who is let in; the stand-in keeps no description of it.
    return rules.flatMap(([, rule = ""]) => [...rule.matchAll(/<groupId>sg-/gu)]).length;
  },
  "AWS::Lambda::Permission": async (aws, made) => {
    const functions = made.filter(({ type }) => type === "AWS::Lambda::Function");
    const policies = functions.map(({ physicalId }) =>
      aws.rest("lambda", `/2015-03-31/functions/${physicalId}/policy`).catch(() => ""),
    );
    const said = (await Promise.all(policies)).join("");
    return [...said.matchAll(/lambda:InvokeFunction/gu)].length;
  },
};

function ec2(aws: Aws, action: string): Promise<string> {
  return aws.query("ec2", "2016-11-15", { Action: action });
}

interface Made {
  readonly type: string;
  readonly logicalId: string;
  readonly physicalId: string;
}

/** Creates the stack, and reads each of its resources back from the service that should have it. */
export async function deployTemplate(
  endpoint: string,
  { resources, text }: { readonly text: string; readonly resources: Resources },
): Promise<void> {
  const aws = new Aws(endpoint);
  await bootstrap(aws, text);
  const { body, kept } = forStandIn(text);
  const parameters = { StackName: stackName, TemplateBody: body };
  await aws.query("cloudformation", version, {
    ...{ Action: "CreateStack", ...parameters, "Capabilities.member.1": "CAPABILITY_IAM" },
  });
  const described = await aws.query("cloudformation", version, {
    ...{ Action: "DescribeStackResources", StackName: stackName },
  });
  const made = madeOf(described);
  const lost = [...(await notFound(aws, made)), ...(await tooFew(aws, made, kept))];
  const neverMade = Object.keys(kept).filter((id) => !made.some((each) => each.logicalId === id));
  const absent = [...neverMade, ...lost].map((id) => `${kept[id]?.Type} ${id}`);
  if (absent.length > 0) throw new Error(`not there:\n${absent.join("\n")}`);
  const unread = new Set(made.map(({ type }) => type).filter((type) => !isRead(type)));
  if (unread.size > 0) throw new Error(`made, and not read back: ${[...unread].join(", ")}`);
  const all = Object.keys(resources).length;
  process.stdout.write(`     ${made.length} of ${all} resources were made, and read back\n`);
}

function isRead(type: string): boolean {
  return type in readers || type in counters;
}

/** What `cdk bootstrap` leaves: its version, and the bucket with the bundles. */
async function bootstrap(aws: Aws, text: string): Promise<void> {
  const Name = "/cdk-bootstrap/hnb659fds/version";
  const parameter = { Name, Value: "30", Type: "String", Overwrite: true };
  await aws.json("ssm", "AmazonSSM.PutParameter", parameter);
  await aws.put("s3", `/${assets}`);
  const keys = new Set([...text.matchAll(/"S3Key": "([^"]+)"/gu)].map(([, key = ""]) => key));
  for (const key of keys) await aws.put("s3", `/${assets}/${key}`, emptyZip);
}

/** Without what is skipped, and without outputs, at which moto ends with an error of its own. */
function forStandIn(text: string): { readonly body: string; readonly kept: Resources } {
  const template = JSON.parse(text) as { readonly Resources: Resources; Outputs?: object };
  const entries = Object.entries(template.Resources);
  const gone = new Set(entries.filter(([, { Type }]) => skipped.includes(Type)).map(([id]) => id));
  const kept = Object.fromEntries(entries.filter(([id]) => !gone.has(id)));
  const { Outputs: _, ...rest } = { ...template, Resources: kept };
  return { body: JSON.stringify(withoutReferences(rest, gone)), kept };
}

function withoutReferences(value: unknown, gone: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((each) => withoutReferences(each, gone));
  if (typeof value !== "object" || value === null) return value;
  const { "Fn::GetAtt": attribute, Ref, DependsOn } = value as Readonly<Record<string, unknown>>;
  const target = Array.isArray(attribute) ? attribute[0] : Ref;
  if (typeof target === "string" && gone.has(target)) return "of-what-is-skipped";
  const members = Object.entries(value).map(([name, each]) => [
    name,
    withoutReferences(each, gone),
  ]);
  const made = Object.fromEntries(members) as Record<string, unknown>;
  if (!Array.isArray(DependsOn)) return made;
  return { ...made, DependsOn: DependsOn.filter((id) => !gone.has(String(id))) };
}

function madeOf(xml: string): readonly Made[] {
  const valueIn = (block: string, name: string): string =>
    new RegExp(`<${name}>([^<]*)</${name}>`, "u").exec(block)?.[1] ?? "";
  return xml
    .split("<member>")
    .slice(1)
    .map((block) => ({
      type: valueIn(block, "ResourceType"),
      logicalId: valueIn(block, "LogicalResourceId"),
      physicalId: valueIn(block, "PhysicalResourceId"),
    }));
}

/** Logical ids of those types of which fewer are found than the template has. */
async function tooFew(
  aws: Aws,
  made: readonly Made[],
  kept: Resources,
): Promise<readonly string[]> {
  const lost: string[] = [];
  for (const [type, count] of Object.entries(counters)) {
    const of = Object.entries(kept).filter(([, { Type }]) => Type === type);
    const found = await count(aws, made);
    if (found < of.length) lost.push(...of.map(([id]) => id));
  }
  return lost;
}

/** Logical ids of what CloudFormation says it made, and the service does not know. */
async function notFound(aws: Aws, made: readonly Made[]): Promise<readonly string[]> {
  const answers = new Map<string, string>();
  for (const type of new Set(made.map((each) => each.type))) {
    const reader = readers[type];
    if (reader !== undefined) answers.set(type, await reader(aws));
  }
  return made
    .filter(({ logicalId, physicalId, type }) => {
      const answer = answers.get(type);
      // A policy inside a role has the template's name.
      const name = type === "AWS::IAM::Policy" ? logicalId : physicalId.split("/").at(-1);
      return answer !== undefined && (!name || !answer.includes(name));
    })
    .map(({ logicalId }) => logicalId);
}
