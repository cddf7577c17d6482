/** CreateAcls v1–v3 (KIP-140, KIP-290): refused, each of them, because there is no authorizer. */
import {
  ApiKey,
  type CreateAclsRequest,
  type CreateAclsResponseInput,
  ErrorCode,
} from "@millrace/wire";
import type { Handler } from "./handler.ts";

const refused = {
  errorCode: ErrorCode.SECURITY_DISABLED,
  errorMessage: "No Authorizer is configured.",
} as const;

export function createAclsHandler(): Handler<CreateAclsRequest, CreateAclsResponseInput> {
  return {
    apiKey: ApiKey.CreateAcls,
    versions: { min: 1, max: 3 },
    handle: ({ creations }) => ({ throttleTimeMs: 0, results: creations.map(() => refused) }),
  };
}
