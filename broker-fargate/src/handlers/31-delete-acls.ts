/** DeleteAcls v1–v3 (KIP-140, KIP-290): refused, each filter, because there is no authorizer. */
import {
  ApiKey,
  type DeleteAclsRequest,
  type DeleteAclsResponseInput,
  ErrorCode,
} from "@millrace/wire";
import type { Handler } from "./handler.ts";

const refused = {
  errorCode: ErrorCode.SECURITY_DISABLED,
  errorMessage: "No Authorizer is configured.",
  matchingAcls: [],
} as const;

export function deleteAclsHandler(): Handler<DeleteAclsRequest, DeleteAclsResponseInput> {
  return {
    apiKey: ApiKey.DeleteAcls,
    versions: { min: 1, max: 3 },
    handle: ({ filters }) => ({ throttleTimeMs: 0, filterResults: filters.map(() => refused) }),
  };
}
