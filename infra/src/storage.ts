import { Duration } from "aws-cdk-lib";
import { AttributeType, BillingMode, StreamViewType, Table } from "aws-cdk-lib/aws-dynamodb";
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type LifecycleRule,
  ObjectOwnership,
} from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import { removalPolicy } from "./logs.ts";
import type { Settings } from "./props.ts";

/** What parts of an upload that nobody finished may lie. */
const unfinishedUploadDays = 2;

/**
 * The bucket of all clusters' logs, and the table of the control plane. Both stay when the stack
 * goes, unless `onDelete` says otherwise; and even then S3 refuses to delete a bucket with objects.
 *
 * No rule expires what is current: an object of a journal that went by its age would be a loss.
 */
export class Storage extends Construct {
  readonly bucket: Bucket;
  readonly controlTable: Table;

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id);
    const keepsVersions = settings.keepDeletedObjectsDays > 0;
    this.bucket = new Bucket(this, "Bucket", {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: keepsVersions,
      lifecycleRules: [...lifecycleRules(settings)],
      removalPolicy: removalPolicy(settings),
    });
    acknowledge(
      this.bucket,
      "AwsSolutions-S1",
      "Brokers alone use it, several times a second: access logs would outweigh the records.",
    );
    this.controlTable = new Table(this, "ControlTable", {
      partitionKey: { name: "pk", type: AttributeType.STRING },
      sortKey: { name: "sk", type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: settings.onDelete === "retain",
      stream: StreamViewType.KEYS_ONLY,
      removalPolicy: removalPolicy(settings),
    });
  }
}

function lifecycleRules({ keepDeletedObjectsDays: days }: Settings): readonly LifecycleRule[] {
  const unfinished: LifecycleRule = {
    id: "unfinished-uploads",
    abortIncompleteMultipartUploadAfter: Duration.days(unfinishedUploadDays),
  };
  if (days === 0) return [unfinished];
  const deleted: LifecycleRule = {
    id: "deleted-objects",
    noncurrentVersionExpiration: Duration.days(days),
    expiredObjectDeleteMarker: true,
  };
  return [unfinished, deleted];
}
