/**
 * DescribeGroups v0–v6: classic groups' states and members. Metadata and protocol are told of a
 * Stable group only. A group that is not there is Dead, from v6 on with GROUP_ID_NOT_FOUND. One that
 * is named twice is answered once: a short request could ask for any number of bytes otherwise.
 */
import {
  ApiKey,
  type DescribeGroupsRequest,
  type DescribeGroupsResponseDescribedGroupInput,
  type DescribeGroupsResponseInput,
  ErrorCode,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import { asCoordinator } from "./as-coordinator.ts";
import { errorMessage } from "./error-message.ts";
import { groupOperations, operationsNotAsked } from "./authorized-operations.ts";
import { groupErrorCode } from "./group-errors.ts";
import type { Handler } from "./handler.ts";
import { inTurns } from "./in-turns.ts";

const notFoundFrom = 6;
const nothing = { groupState: "", protocolType: "", protocolData: "", members: [] } as const;

export function describeGroupsHandler(
  broker: Broker,
): Handler<DescribeGroupsRequest, DescribeGroupsResponseInput> {
  return {
    apiKey: ApiKey.DescribeGroups,
    versions: { min: 0, max: 6 },
    handle: async ({ groups, includeAuthorizedOperations }, { apiVersion }) => ({
      groups: await inTurns(broker.clock, [...new Set(groups)], async (groupId) => {
        const described = await describe(broker, groupId, apiVersion);
        const isAsked = includeAuthorizedOperations && described.errorCode === ErrorCode.NONE;
        return {
          ...described,
          authorizedOperations: isAsked ? groupOperations : operationsNotAsked,
        };
      }),
    }),
  };
}

async function describe(
  broker: Broker,
  groupId: string,
  version: number,
): Promise<DescribeGroupsResponseDescribedGroupInput> {
  const described = await asCoordinator(broker, groupId, () => broker.groups.describe(groupId));
  if (described === "groupNotFound") {
    const dead = { ...nothing, groupId, groupState: "Dead" };
    if (version < notFoundFrom) return { ...dead, errorCode: ErrorCode.NONE };
    const message = errorMessage(`Group ${groupId} not found.`);
    return { ...dead, errorCode: ErrorCode.GROUP_ID_NOT_FOUND, errorMessage: message };
  }
  if (typeof described === "string") {
    return { ...nothing, groupId, errorCode: groupErrorCode(described) };
  }
  return {
    groupId,
    errorCode: ErrorCode.NONE,
    groupState: described.state,
    protocolType: described.protocolType,
    protocolData: described.protocolName,
    members: described.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: member.metadata,
      memberAssignment: member.assignment,
    })),
  };
}
