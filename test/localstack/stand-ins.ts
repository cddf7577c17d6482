import { startDynamoDbLocal } from "../contract/dynamodb/dynamodb-local.ts";
import { startMoto } from "../contract/s3/moto-server.ts";
import { startLocalStackS3 } from "./localstack-s3.ts";

/** Where AWS's services, or what stands in for them, answer. */
export interface Endpoints {
  readonly s3: string;
  readonly dynamodb: string;
  /** Whose they are, for who reads the run. */
  readonly described: string;
  /** Of CloudFormation and what it makes; none where other servers were named, and none for it. */
  readonly cloudFormation: string | undefined;
  readonly stop: () => Promise<void>;
}

type Named = Partial<Readonly<Record<"s3" | "dynamodb" | "cloudFormation", string>>>;

/** AWS_ENDPOINT_URL, and AWS_ENDPOINT_URL_{S3,DYNAMODB,CLOUDFORMATION} before it, as for AWS's own tools. */
export function namedEndpoints(environment: Readonly<Record<string, string | undefined>>): Named {
  const named = (service: string): string | undefined =>
    environment[`AWS_ENDPOINT_URL_${service}`] ?? environment["AWS_ENDPOINT_URL"];
  const endpoints = {
    s3: named("S3"),
    dynamodb: named("DYNAMODB"),
    cloudFormation: named("CLOUDFORMATION"),
  };
  return Object.fromEntries(Object.entries(endpoints).filter(([, url]) => url !== undefined));
}

/**
 * Those that are named; what nothing is named for is started here, without Docker: LocalStack's S3
 * where its Python is there, moto's otherwise, DynamoDB Local, and moto's CloudFormation, whose gaps
 * are known, unless S3 is another's.
 */
export async function findEndpoints(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Endpoints> {
  const { cloudFormation, dynamodb, s3 } = namedEndpoints(environment);
  const localStack = s3 === undefined ? await startLocalStackS3() : undefined;
  const isLacking = localStack === undefined || cloudFormation === undefined;
  const moto = s3 === undefined && isLacking ? await startMoto() : undefined;
  const local = dynamodb === undefined ? await startDynamoDbLocal() : undefined;
  const ofS3 = s3 ?? (localStack === undefined ? "moto" : "LocalStack");
  return {
    s3: s3 ?? localStack?.endpoint ?? moto?.endpoint ?? "",
    dynamodb: dynamodb ?? local?.endpoint ?? "",
    described: `S3: ${ofS3}; DynamoDB: ${dynamodb ?? "DynamoDB Local"}`,
    cloudFormation: cloudFormation ?? moto?.endpoint,
    stop: async () => {
      for (const started of [localStack, moto, local]) await started?.stop();
    },
  };
}
