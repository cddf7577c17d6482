/**
 * FindCoordinator v0–v6: which broker coordinates a group; several keys at once from v4 on.
 *
 * A group is coordinated by the broker that leads its slot, at its address for the listener that was
 * asked; where nobody leads it, or nobody knows that address, the client asks again. The first
 * question makes `__consumer_offsets`, which tools look for. Transactional ids are refused, clearly and for good,
 * until transactions are served; so are share groups' keys, as by a Kafka without share groups.
 */
import {
  ApiKey,
  ErrorCode,
  type FindCoordinatorRequest,
  type FindCoordinatorResponseInput,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { BrokerEndpoint } from "../cluster/cluster-view.ts";
import type { Handler } from "./handler.ts";
import { inTurns } from "./in-turns.ts";

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
      const failure = await failureOf(broker, request.keyType);
      const endpoints = broker.view.endpoints(context.connection.listener);
      const find = (key: string): Found => failure ?? findGroup(broker, key, endpoints);
      if (context.apiVersion < batchedFrom) {
        const found = find(request.key);
        const errorMessage = found.errorCode === ErrorCode.NONE ? "NONE" : found.errorMessage;
        return { ...found, errorMessage };
      }
      const answer = (key: string): Found & { readonly key: string } => ({ key, ...find(key) });
      return { coordinators: await inTurns(broker.clock, request.coordinatorKeys, answer) };
    },
  };
}

/** What holds for every key of the request. */
async function failureOf(broker: Broker, type: number): Promise<Found | undefined> {
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
  return topic === undefined ? notAvailable : undefined;
}

function findGroup(
  { cluster, view }: Broker,
  groupId: string,
  endpoints: readonly BrokerEndpoint[],
): Found {
  const leader = view.leaderOf(cluster.slotOfGroup(groupId));
  const found = endpoints.find(({ brokerId }) => brokerId === leader?.brokerId);
  if (found === undefined) return notAvailable;
  const { brokerId: nodeId, host, port } = found;
  return { errorCode: ErrorCode.NONE, errorMessage: "", nodeId, host, port };
}

function refused(errorCode: number, errorMessage: string): Found {
  return { errorCode, errorMessage, nodeId: -1, host: "", port: -1 };
}

const notAvailable: Found = refused(
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  "The coordinator is not available.",
);
