/**
 * DescribeClientQuotas v0–v1 (KIP-546): there are no client quotas, so none matches. It is served
 * because tools ask for quotas and credentials of users together.
 *
 * A filter that makes no sense is refused in Kafka's words.
 */
import {
  ApiKey,
  type DescribeClientQuotasRequest,
  type DescribeClientQuotasResponseInput,
  ErrorCode,
} from "@millrace/wire";
import { errorMessage } from "./error-message.ts";
import type { Handler } from "./handler.ts";

type Component = DescribeClientQuotasRequest["components"][number];

interface Fault {
  readonly errorCode: number;
  readonly text: string;
}

const entityTypes: readonly string[] = ["user", "client-id", "ip"];
const matchType = { exact: 0, default: 1, specified: 2 } as const;

export function describeClientQuotasHandler(): Handler<
  DescribeClientQuotasRequest,
  DescribeClientQuotasResponseInput
> {
  return {
    apiKey: ApiKey.DescribeClientQuotas,
    versions: { min: 0, max: 1 },
    handle: ({ components }) => {
      const fault = faultOf(components);
      if (fault === undefined) {
        return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, errorMessage: null, entries: [] };
      }
      const { errorCode, text } = fault;
      return { throttleTimeMs: 0, errorCode, errorMessage: errorMessage(text), entries: null };
    },
  };
}

function faultOf(components: readonly Component[]): Fault | undefined {
  const seen = new Set<string>();
  for (const component of components) {
    const fault = componentFault(component, seen);
    if (fault !== undefined) return fault;
    seen.add(component.entityType);
  }
  if (!seen.has("ip") || seen.size === 1) return undefined;
  return invalid(
    "Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.",
  );
}

function componentFault(
  { entityType, match, matchType: type }: Component,
  seen: ReadonlySet<string>,
): Fault | undefined {
  if (entityType === "") return invalid("Invalid empty entity type.");
  if (seen.has(entityType)) {
    return invalid(`Entity type ${entityType} cannot appear more than once in the filter.`);
  }
  if (!entityTypes.includes(entityType)) {
    const text = `Unsupported entity type ${entityType}`;
    return { errorCode: ErrorCode.UNSUPPORTED_VERSION, text };
  }
  switch (type) {
    case matchType.exact:
      if (match !== null) return undefined;
      return invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.");
    case matchType.default:
      if (match === null) return undefined;
      return invalid("Request specified MATCH_TYPE_DEFAULT, but also specified a match string.");
    case matchType.specified:
      if (match === null) return undefined;
      return invalid("Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.");
    default:
      return invalid(`Unknown match type ${type}`);
  }
}

function invalid(text: string): Fault {
  return { errorCode: ErrorCode.INVALID_REQUEST, text };
}
