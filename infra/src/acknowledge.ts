import { Validations } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

/** Says of one finding of cdk-nag why it is no fault; the reason stands in the template, too. */
export function acknowledge(construct: IConstruct, id: string, reason: string): void {
  Validations.of(construct).acknowledge({ id, reason });
}
