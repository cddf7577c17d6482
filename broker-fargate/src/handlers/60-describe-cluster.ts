/**
 * DescribeCluster v0–v2: the cluster's id, its live brokers at their addresses for the listener that
 * was asked, and what the client may do. There is no controller endpoint to be asked.
 */
import {
  ApiKey,
  type DescribeClusterRequest,
  type DescribeClusterResponseInput,
  ErrorCode,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import { clusterOperations, operationsNotAsked } from "./authorized-operations.ts";
import type { Handler } from "./handler.ts";

const endpointType = { broker: 1, controller: 2 } as const;

export function describeClusterHandler(
  broker: Broker,
): Handler<DescribeClusterRequest, DescribeClusterResponseInput> {
  return {
    apiKey: ApiKey.DescribeCluster,
    versions: { min: 0, max: 2 },
    handle: (request, { connection: { listener } }) => {
      if (request.endpointType !== endpointType.broker) return wrongEndpoint(request.endpointType);
      const { view } = broker;
      return {
        throttleTimeMs: 0,
        errorCode: ErrorCode.NONE,
        errorMessage: null,
        endpointType: endpointType.broker,
        clusterId: broker.cluster.clusterId,
        controllerId: view.controllerId,
        brokers: view.endpoints(listener).map(({ brokerId, host, port, rack }) => {
          return { brokerId, host, port, rack: rack ?? null, isFenced: false };
        }),
        clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
          ? clusterOperations
          : operationsNotAsked,
      };
    },
  };
}

function wrongEndpoint(asked: number): DescribeClusterResponseInput {
  const isKnown = asked === endpointType.controller;
  return {
    throttleTimeMs: 0,
    errorCode: isKnown ? ErrorCode.MISMATCHED_ENDPOINT_TYPE : ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
    errorMessage: isKnown
      ? "The request was sent to an endpoint of type BROKER, " +
        "but we wanted an endpoint of type CONTROLLER"
      : `Unsupported endpoint type ${asked}`,
    endpointType: endpointType.broker,
    clusterId: "",
    controllerId: -1,
    brokers: [],
    clusterAuthorizedOperations: operationsNotAsked,
  };
}
