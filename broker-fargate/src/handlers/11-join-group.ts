/**
 * JoinGroup v0–v9: a member enters its group's join phase (KIP-62; static members KIP-345, member
 * ids first KIP-394, a reason KIP-800, skipping the assignment KIP-814).
 *
 * Path: the coordinator decides at once, and answers at once or when the phase ends. A generation
 * is durable before any member hears of it.
 */
import type { JoinReply } from "@millrace/core";
import {
  ApiKey,
  ErrorCode,
  type JoinGroupRequest,
  type JoinGroupResponseInput,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { JoinGroupInput } from "../group/coordinator.ts";
import { asCoordinator } from "./as-coordinator.ts";
import { groupErrorCode } from "./group-errors.ts";
import type { Handler, RequestContext } from "./handler.ts";

const rebalanceTimeoutFrom = 1;
const givesIdFrom = 4;
const nullProtocolFrom = 7;
const skipAssignmentFrom = 9;

export function joinGroupHandler(
  broker: Broker,
): Handler<JoinGroupRequest, JoinGroupResponseInput> {
  return {
    apiKey: ApiKey.JoinGroup,
    versions: { min: 0, max: 9 },
    handle: (request, context) => join(broker, request, context),
  };
}

async function join(
  broker: Broker,
  request: JoinGroupRequest,
  context: RequestContext,
): Promise<JoinGroupResponseInput> {
  const { apiVersion } = context;
  if (request.groupId === "") {
    return refused(ErrorCode.INVALID_GROUP_ID, request.memberId, apiVersion);
  }
  const input: JoinGroupInput = {
    memberId: request.memberId,
    instanceId: request.groupInstanceId,
    clientId: context.clientId ?? "",
    clientHost: `/${context.connection.clientHost}`,
    sessionTimeoutMs: request.sessionTimeoutMs,
    rebalanceTimeoutMs:
      apiVersion >= rebalanceTimeoutFrom ? request.rebalanceTimeoutMs : request.sessionTimeoutMs,
    protocolType: request.protocolType,
    protocols: request.protocols,
    firstJoin: apiVersion >= givesIdFrom ? "givesId" : "joins",
    skipAssignment: apiVersion >= skipAssignmentFrom ? "supported" : "unsupported",
  };
  const { groupId } = request;
  const reply = await asCoordinator(broker, groupId, () => broker.groups.join(groupId, input));
  if (typeof reply === "string") {
    return refused(groupErrorCode(reply), request.memberId, apiVersion);
  }
  return answer(reply, apiVersion);
}

function answer(reply: JoinReply, version: number): JoinGroupResponseInput {
  if (reply.kind === "refused") {
    return refused(groupErrorCode(reply.reason), reply.memberId, version);
  }
  return {
    errorCode: ErrorCode.NONE,
    generationId: reply.generation,
    protocolType: reply.protocolType,
    protocolName: protocolName(reply.protocolName, version),
    leader: reply.leader,
    skipAssignment: reply.skipAssignment,
    memberId: reply.memberId,
    members: reply.members.map(({ memberId, instanceId, metadata }) => ({
      memberId,
      groupInstanceId: instanceId,
      metadata,
    })),
  };
}

function refused(errorCode: number, memberId: string, version: number): JoinGroupResponseInput {
  const name = protocolName(null, version);
  return { errorCode, memberId, generationId: -1, protocolName: name, leader: "", members: [] };
}

function protocolName(name: string | null, version: number): string | null {
  return version >= nullProtocolFrom ? name : (name ?? "");
}
