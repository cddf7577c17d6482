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
      const [isState, isType] = [filterOf(statesFilter), filterOf(typesFilter)];
      const groups = listed
        .filter(({ state, type }) => isState(state) && isType(type))
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

/** Made once: there may be as many names asked for as there are groups. */
function filterOf(asked: readonly string[]): (name: string) => boolean {
  const wanted = new Set(asked.map((name) => name.trim().toLowerCase()));
  return (name) => wanted.size === 0 || wanted.has(name.toLowerCase());
}
