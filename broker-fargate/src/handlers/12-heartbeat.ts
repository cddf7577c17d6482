/**
 * Heartbeat v0–v4: a member's session goes on, and it learns whether it must join again.
 *
 * Path: one synchronous decision; the answer waits only for a write of the group under way.
 */
import type { HeartbeatOutcome } from "@millrace/core";
import {
  ApiKey,
  ErrorCode,
  type HeartbeatRequest,
  type HeartbeatResponseInput,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Unavailable } from "../group/deps.ts";
import { asCoordinator } from "./as-coordinator.ts";
import { groupErrorCode } from "./group-errors.ts";
import type { Handler } from "./handler.ts";

export function heartbeatHandler(
  broker: Broker,
): Handler<HeartbeatRequest, HeartbeatResponseInput> {
  return {
    apiKey: ApiKey.Heartbeat,
    versions: { min: 0, max: 4 },
    handle: async ({ groupId, memberId, groupInstanceId, generationId }) => {
      if (groupId === "") return { errorCode: ErrorCode.INVALID_GROUP_ID };
      const member = { memberId, instanceId: groupInstanceId, generation: generationId };
      const ask = (): Promise<HeartbeatOutcome | Unavailable> =>
        broker.groups.heartbeat(groupId, member);
      return { errorCode: groupErrorCode(await asCoordinator(broker, groupId, ask)) };
    },
  };
}
