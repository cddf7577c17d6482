/**
 * LeaveGroup v0–v5: a member goes, or from v3 on several, named by member id or, by an admin, by
 * instance id alone (KIP-345). Before v3 the one member's error is the response's.
 */
import {
  ApiKey,
  ErrorCode,
  type LeaveGroupRequest,
  type LeaveGroupResponseInput,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import { asCoordinator } from "./as-coordinator.ts";
import { groupErrorCode } from "./group-errors.ts";
import type { Handler } from "./handler.ts";

const batchedFrom = 3;

export function leaveGroupHandler(
  broker: Broker,
): Handler<LeaveGroupRequest, LeaveGroupResponseInput> {
  return {
    apiKey: ApiKey.LeaveGroup,
    versions: { min: 0, max: 5 },
    handle: (request, { apiVersion }) => leave(broker, request, apiVersion),
  };
}

async function leave(
  broker: Broker,
  request: LeaveGroupRequest,
  version: number,
): Promise<LeaveGroupResponseInput> {
  if (request.groupId === "") return { errorCode: ErrorCode.INVALID_GROUP_ID };
  const leaving =
    version >= batchedFrom
      ? request.members.map(({ memberId, groupInstanceId: instanceId, reason }) => {
          return { memberId, instanceId, reason };
        })
      : [{ memberId: request.memberId, instanceId: null, reason: null }];
  const { groupId } = request;
  const results = await asCoordinator(broker, groupId, () => broker.groups.leave(groupId, leaving));
  if (typeof results === "string") return { errorCode: groupErrorCode(results) };
  if (version < batchedFrom) {
    return { errorCode: groupErrorCode(results[0]?.outcome ?? "unknownMember") };
  }
  return {
    errorCode: ErrorCode.NONE,
    members: results.map(({ memberId, instanceId, outcome }) => ({
      memberId,
      groupInstanceId: instanceId,
      errorCode: groupErrorCode(outcome),
    })),
  };
}
