/**
 * ListGroups v0–v5: every group that this broker coordinates, those with offsets only included, filtered by state from v4 on
 * (KIP-518) and by type from v5 on (KIP-848). Filters do not mind case; unknown names match nothing.
 */
import {
  ApiKey,
  ErrorCode,
  type ListGroupsRequest,
  type ListGroupsResponseInput,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Handler } from "./handler.ts";

export function listGroupsHandler(
  broker: Broker,
): Handler<ListGroupsRequest, ListGroupsResponseInput> {
  return {
    apiKey: ApiKey.ListGroups,
    versions: { min: 0, max: 5 },
    handle: async ({ statesFilter, typesFilter }) => {
      // Whoever lists groups asks every broker, and asks again only after an error that says so.
      if (!broker.view.hasEvidence) return notAvailable;
      const listed = await broker.groups.list();
      if (typeof listed === "string") return notAvailable;
      const groups = listed
        .filter(({ state, type }) => passes(statesFilter, state) && passes(typesFilter, type))
        .map(({ groupId, protocolType, state, type }) => {
          return { groupId, protocolType, groupState: state, groupType: type };
        });
      return { errorCode: ErrorCode.NONE, groups };
    },
  };
}

const notAvailable: ListGroupsResponseInput = {
  errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE,
  groups: [],
};

function passes(filter: readonly string[], name: string): boolean {
  if (filter.length === 0) return true;
  return filter.some((wanted) => wanted.trim().toLowerCase() === name.toLowerCase());
}
