/**
 * FindCoordinator v0–v6: which broker coordinates a group; several keys at once from v4 on.
 *
 * This broker coordinates every group, whatever its id. The first question makes
 * `__consumer_offsets`, which tools look for. Transactional ids are refused, clearly and for good,
 * until transactions are served; so are share groups' keys, as by a Kafka without share groups.
 */
import {
  ApiKey,
  ErrorCode,
  type FindCoordinatorRequest,
  type FindCoordinatorResponseInput,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Handler, RequestContext } from "./handler.ts";

const keyType = { group: 0, transaction: 1, share: 2 } as const;
const batchedFrom = 4;
const offsetsTopic = "__consumer_offsets";

interface Found {
  readonly errorCode: number;
  readonly errorMessage: string;
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

export function findCoordinatorHandler(
  broker: Broker,
): Handler<FindCoordinatorRequest, FindCoordinatorResponseInput> {
  return {
    apiKey: ApiKey.FindCoordinator,
    versions: { min: 0, max: 6 },
    handle: async (request, context) => {
      const found = await find(broker, request.keyType, context);
      if (context.apiVersion < batchedFrom) {
        const errorMessage = found.errorCode === ErrorCode.NONE ? "NONE" : found.errorMessage;
        return { ...found, errorMessage };
      }
      return { coordinators: request.coordinatorKeys.map((key) => ({ key, ...found })) };
    },
  };
}

async function find(broker: Broker, type: number, context: RequestContext): Promise<Found> {
  if (type === keyType.transaction) {
    return refused(ErrorCode.INVALID_REQUEST, "Transactions are not served.");
  }
  if (type === keyType.share) {
    return refused(ErrorCode.INVALID_REQUEST, "Share groups are not served.");
  }
  if (type !== keyType.group) {
    return refused(ErrorCode.INVALID_REQUEST, `There is no coordinator of type ${type}.`);
  }
  const topic = await broker.cluster.ensureInternalTopic(offsetsTopic);
  if (topic === undefined) {
    return refused(ErrorCode.COORDINATOR_NOT_AVAILABLE, "The coordinator is not available.");
  }
  const { host, port } = context.connection.listener;
  const nodeId = broker.cluster.brokerId;
  return { errorCode: ErrorCode.NONE, errorMessage: "", nodeId, host, port };
}

function refused(errorCode: number, errorMessage: string): Found {
  return { errorCode, errorMessage, nodeId: -1, host: "", port: -1 };
}
