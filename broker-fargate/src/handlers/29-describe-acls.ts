/**
 * DescribeAcls v1–v3 (KIP-140, KIP-290): there is no authorizer, and it says so as Kafka does. Whoever
 * manages a cluster asks for its ACLs at every look, and shows none where they are disabled.
 */
import {
  ApiKey,
  type DescribeAclsRequest,
  type DescribeAclsResponseInput,
  ErrorCode,
} from "@millrace/wire";
import type { Handler } from "./handler.ts";

export function describeAclsHandler(): Handler<DescribeAclsRequest, DescribeAclsResponseInput> {
  return {
    apiKey: ApiKey.DescribeAcls,
    versions: { min: 1, max: 3 },
    handle: () => ({
      throttleTimeMs: 0,
      errorCode: ErrorCode.SECURITY_DISABLED,
      errorMessage: "No Authorizer is configured on the broker",
      resources: [],
    }),
  };
}
