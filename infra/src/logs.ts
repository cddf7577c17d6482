import { RemovalPolicy } from "aws-cdk-lib";
import { type LogGroupProps, RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Settings } from "./props.ts";

/** CDK's word for each number of days; it has one for those that CloudWatch takes. */
const retentions: ReadonlyMap<number, RetentionDays> = new Map(
  Object.values(RetentionDays).flatMap((days) =>
    typeof days === "string" ? [] : [[days, days] as const],
  ),
);

export function removalPolicy({ onDelete }: Settings): RemovalPolicy {
  return onDelete === "retain" ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
}

export function logGroupProps(settings: Settings): LogGroupProps {
  const retention = retentions.get(settings.logRetentionDays);
  if (retention === undefined) throw new Error(`no retention of ${settings.logRetentionDays} days`);
  return { retention, removalPolicy: removalPolicy(settings) };
}
