/**
 * SyncGroup v0–v5: a member asks for its assignment; the leader brings everybody's. From v5 on the
 * protocol's type and name are named and checked (KIP-559).
 *
 * Path: the coordinator answers when the leader's assignment is durable.
 */
import {
  ApiKey,
  ErrorCode,
  type SyncGroupRequest,
  type SyncGroupResponseInput,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { SyncGroupInput } from "../group/coordinator.ts";
import { asCoordinator } from "./as-coordinator.ts";
import { groupErrorCode } from "./group-errors.ts";
import type { Handler } from "./handler.ts";

const namesProtocolFrom = 5;
const noAssignment = new Uint8Array(0);

export function syncGroupHandler(
  broker: Broker,
): Handler<SyncGroupRequest, SyncGroupResponseInput> {
  return {
    apiKey: ApiKey.SyncGroup,
    versions: { min: 0, max: 5 },
    handle: (request, { apiVersion }) => sync(broker, request, apiVersion),
  };
}

async function sync(
  broker: Broker,
  request: SyncGroupRequest,
  version: number,
): Promise<SyncGroupResponseInput> {
  const { groupId, protocolType, protocolName } = request;
  if (version >= namesProtocolFrom && (protocolType === null || protocolName === null)) {
    return refused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  }
  if (groupId === "") return refused(ErrorCode.INVALID_GROUP_ID);
  const input: SyncGroupInput = {
    memberId: request.memberId,
    instanceId: request.groupInstanceId,
    generation: request.generationId,
    protocolType,
    protocolName,
    assignments: new Map(
      request.assignments.map(({ memberId, assignment }) => [memberId, assignment]),
    ),
  };
  const reply = await asCoordinator(broker, groupId, () => broker.groups.sync(groupId, input));
  if (typeof reply === "string") return refused(groupErrorCode(reply));
  if (reply.kind === "refused") return refused(groupErrorCode(reply.reason));
  return {
    errorCode: ErrorCode.NONE,
    protocolType: reply.protocolType,
    protocolName: reply.protocolName,
    assignment: reply.assignment,
  };
}

function refused(errorCode: number): SyncGroupResponseInput {
  return { errorCode, assignment: noAssignment };
}
