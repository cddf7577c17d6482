/** What each role may do is what its code asks of AWS: nothing is missing, nothing is more. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { ofType, type Resources, synthesised } from "./fixtures.ts";

const adapters = join(import.meta.dirname, "../../adapters/aws/src");

/** The service of each file's requests, by what an IAM policy calls it. */
const services: Readonly<Record<string, string>> = {
  "broker-listeners.ts": "ssm",
  "cloud-map.ts": "servicediscovery",
  "cluster-tables.ts": "dynamodb",
  "ecs-definitions.ts": "ecs",
  "ecs-services.ts": "ecs",
  "lifecycle-rules.ts": "s3",
  "metadata-requests.ts": "dynamodb",
  "multipart.ts": "s3",
  "object-store.ts": "s3",
  "ssm-secrets.ts": "ssm",
};
/** Makes tables for stand-ins and tests: no role runs it. */
const ofNoRole = ["metadata-table.ts"];

/** Where the action has another name than the request, or is more than one. */
const actionsOf: Readonly<Record<string, readonly string[]>> = {
  "dynamodb:TransactWriteItems": [
    ...["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
    "dynamodb:ConditionCheckItem",
  ],
  "s3:ListObjectsV2": ["s3:ListBucket"],
  "s3:DeleteObjects": ["s3:DeleteObject"],
  "s3:GetBucketLifecycleConfiguration": ["s3:GetLifecycleConfiguration"],
  "s3:CreateMultipartUpload": ["s3:PutObject"],
  "s3:UploadPart": ["s3:PutObject"],
  "s3:CompleteMultipartUpload": ["s3:PutObject"],
};

function requestsIn(file: string): readonly string[] {
  const source = readFileSync(join(adapters, file), "utf8");
  const commands = source.matchAll(/new (?:this\.)?#?sdk\.(\w+)Command\(/gu);
  return [...commands].map(([, request]) => `${services[file]}:${request}`);
}

function asked(...files: readonly string[]): readonly string[] {
  return files.flatMap((file) => requestsIn(file)).flatMap((one) => actionsOf[one] ?? [one]);
}

const logs = ["logs:CreateLogStream", "logs:PutLogEvents"];
const needed: Readonly<Record<string, readonly string[]>> = {
  apirole: [
    ...asked("metadata-requests.ts"),
    ...logs,
    // A function in a network: what Lambda does in its name.
    ...["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DescribeSubnets"],
    ...["ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces"],
    "ec2:UnassignPrivateIpAddresses",
  ],
  authorizerrole: ["dynamodb:GetItem", ...logs],
  provisionerrole: [
    ...asked("cloud-map.ts", "cluster-tables.ts", "ecs-definitions.ts", "ecs-services.ts"),
    ...asked("broker-listeners.ts", "metadata-requests.ts", "ssm-secrets.ts"),
    ...logs,
    // Objects of deleted clusters are listed and deleted, never read.
    ...["s3:ListBucket", "s3:DeleteObject"],
    // What it makes is tagged, is run as these roles, and has a record of DNS.
    ...["dynamodb:TagResource", "ecs:TagResource", "servicediscovery:TagResource"],
    ...["ssm:AddTagsToResource", "iam:PassRole", "iam:CreateServiceLinkedRole"],
    ...["route53:ChangeResourceRecordSets", "route53:GetHostedZone"],
    // The control table's stream, which Lambda reads in its name.
    ...["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
    "dynamodb:ListStreams",
  ],
  TaskRole: [
    ...asked("lifecycle-rules.ts", "metadata-requests.ts", "multipart.ts"),
    ...asked("object-store.ts"),
  ],
};

const made: { resources: Resources } = { resources: {} };

beforeAll(() => {
  const image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/millrace:0.1.0";
  made.resources = synthesised({ brokers: { image } }).resources;
}, 120_000);

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

function allowedTo(role: string): readonly Statement[] {
  return ofType(made.resources, "AWS::IAM::Policy").flatMap(({ Properties }) => {
    if (!JSON.stringify(Properties["Roles"]).includes(role)) return [];
    const { Statement } = Properties["PolicyDocument"] as { readonly Statement: Statement[] };
    return Statement.filter(({ Effect }) => Effect === "Allow");
  });
}

function sorted(actions: readonly string[]): readonly string[] {
  return [...new Set(actions)].toSorted();
}

it("every file that sends requests is some role's", () => {
  const sending = readdirSync(adapters).filter((file) => {
    const source = readFileSync(join(adapters, file), "utf8");
    return !file.includes(".test.") && /\bnew (?:this\.)?#?sdk\.\w+Command\(/u.test(source);
  });
  expect(sending.toSorted()).toEqual([...Object.keys(services), ...ofNoRole].toSorted());
});

describe.each(Object.keys(needed))("the role %s", (role) => {
  it("may do what its code asks for, and nothing else", () => {
    const allowed = allowedTo(role).flatMap(({ Action }) => Action);
    expect(allowed.length).toBeGreaterThan(2);
    expect(sorted(allowed)).toEqual(sorted(needed[role] ?? []));
  });
});

it("who starts brokers reads what brokers show, and no authority's key", () => {
  const ofSecrets = allowedTo("ExecutionRole").filter(({ Action }) =>
    JSON.stringify(Action).includes("ssm:"),
  );
  expect(ofSecrets).toMatchObject([{ Action: "ssm:GetParameters" }]);
  expect(JSON.stringify(ofSecrets)).toContain(":parameter/millrace/cl_*/broker");
  expect(JSON.stringify(allowedTo("TaskRole"))).not.toContain("ssm:");
});

it("who makes clusters reads and writes no items in them", () => {
  const ofItems = allowedTo("provisionerrole").filter(({ Action }) =>
    JSON.stringify(Action).includes("dynamodb:GetItem"),
  );
  expect(ofItems).toHaveLength(1);
  expect(JSON.stringify(ofItems)).toContain("ControlTable");
  expect(JSON.stringify(ofItems)).not.toContain("cl_");
});
