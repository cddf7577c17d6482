import { startDynamoDbLocal } from "../contract/dynamodb/dynamodb-local.ts";
import { startMoto } from "../contract/s3/moto-server.ts";
import { startLocalStackS3 } from "./localstack-s3.ts";

/** Where AWS's services, or what stands in for them, answer. */
export interface Endpoints {
  readonly s3: string;
  readonly dynamodb: string;
  /** Whose they are, for who reads the run. */
  readonly described: string;
  /** Of CloudFormation: moto's, whose gaps are known; none where other servers were named. */
  readonly cloudFormation: string | undefined;
  readonly stop: () => Promise<void>;
}

/**
 * Those that AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_{S3,DYNAMODB} name, as for AWS's own tools; what
 * nothing is named for is started here, without Docker: LocalStack's S3 where its Python is there,
 * moto's otherwise, and DynamoDB Local.
 */
export async function findEndpoints(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Endpoints> {
  const all = environment["AWS_ENDPOINT_URL"];
  const s3 = environment["AWS_ENDPOINT_URL_S3"] ?? all;
  const dynamodb = environment["AWS_ENDPOINT_URL_DYNAMODB"] ?? all;
  const localStack = s3 === undefined ? await startLocalStackS3() : undefined;
  const moto = s3 === undefined ? await startMoto() : undefined;
  const local = dynamodb === undefined ? await startDynamoDbLocal() : undefined;
  const ofS3 = s3 ?? (localStack === undefined ? "moto" : "LocalStack");
  return {
    s3: s3 ?? localStack?.endpoint ?? moto?.endpoint ?? "",
    dynamodb: dynamodb ?? local?.endpoint ?? "",
    described: `S3: ${ofS3}; DynamoDB: ${dynamodb ?? "DynamoDB Local"}`,
    cloudFormation: moto?.endpoint,
    stop: async () => {
      for (const started of [localStack, moto, local]) await started?.stop();
    },
  };
}
