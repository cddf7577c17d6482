/**
 * DeleteGroups v0–v3: empty groups go, with their offsets, durably; with a message from v3 on. A
 * group that is named twice is answered once.
 */
import {
  ApiKey,
  type DeleteGroupsRequest,
  type DeleteGroupsResponseInput,
  ErrorCode,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { DeleteGroupOutcome } from "../group/coordinator.ts";
import { asCoordinator } from "./as-coordinator.ts";
import { errorMessage } from "./error-message.ts";
import { groupErrorCode } from "./group-errors.ts";
import type { Handler } from "./handler.ts";
import { inTurns } from "./in-turns.ts";

export function deleteGroupsHandler(
  broker: Broker,
): Handler<DeleteGroupsRequest, DeleteGroupsResponseInput> {
  return {
    apiKey: ApiKey.DeleteGroups,
    versions: { min: 0, max: 3 },
    handle: async ({ groupsNames }) => ({
      throttleTimeMs: 0,
      results: await inTurns(broker.clock, [...new Set(groupsNames)], async (groupId) => {
        const outcome = await asCoordinator(broker, groupId, () => broker.groups.delete(groupId));
        const errorCode = outcome === "deleted" ? ErrorCode.NONE : groupErrorCode(outcome);
        return { groupId, errorCode, errorMessage: messageOf(groupId, outcome) };
      }),
    }),
  };
}

function messageOf(groupId: string, outcome: DeleteGroupOutcome): string | null {
  switch (outcome) {
    case "deleted":
      return null;
    case "groupNotFound":
      return errorMessage(`Group ${groupId} not found.`);
    case "nonEmptyGroup":
      return errorMessage(`Group ${groupId} has members.`);
    case "coordinatorNotAvailable":
    case "notCoordinator":
      return "The group's coordinator is not available.";
  }
}
