/**
 * ConsumerGroupHeartbeat v0–v1 (KIP-848): the protocol of consumer groups is not served, and it says
 * so as Kafka does where group.coordinator.rebalance.protocols has the classic one alone. It is listed
 * because librdkafka waits without an error for a broker that does not list it.
 */
import {
  ApiKey,
  type ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponseInput,
  ErrorCode,
} from "@millrace/wire";
import type { Handler } from "./handler.ts";

export function consumerGroupHeartbeatHandler(): Handler<
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponseInput
> {
  return {
    apiKey: ApiKey.ConsumerGroupHeartbeat,
    versions: { min: 0, max: 1 },
    handle: () => ({
      throttleTimeMs: 0,
      errorCode: ErrorCode.UNSUPPORTED_VERSION,
      errorMessage: "group.protocol=consumer is not served: the classic protocol is.",
      memberId: null,
      memberEpoch: 0,
      heartbeatIntervalMs: 0,
      assignment: null,
    }),
  };
}
