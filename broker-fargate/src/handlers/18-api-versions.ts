/**
 * ApiVersions v0–v5: what this broker serves, and its finalised features.
 *
 * The list is made from the registered handlers, so that it can't advertise what is not served;
 * Produce alone is listed from v0, as Kafka lists it (librdkafka otherwise sends uncompressed).
 * An unknown version of this API never gets here: the connection answers it in version 0's shape.
 * From v5 on a client may say whom it means to reach; where that is not us, its connection was led
 * astray, and it is told to start again from its bootstrap addresses (KIP-1242).
 */
import {
  ApiKey,
  type ApiVersionsRequest,
  type ApiVersionsResponseInput,
  ErrorCode,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { ServedApi } from "../server/dispatcher.ts";
import type { Handler } from "./handler.ts";

const softwarePattern = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

export function apiVersionsHandler(
  broker: Broker,
  served: () => readonly ServedApi[],
): Handler<ApiVersionsRequest, ApiVersionsResponseInput> {
  return {
    apiKey: ApiKey.ApiVersions,
    versions: { min: 0, max: 5 },
    handle: (request, context) => {
      if (context.apiVersion >= 3) {
        const name = request.clientSoftwareName;
        const version = request.clientSoftwareVersion;
        if (!softwarePattern.test(name) || !softwarePattern.test(version)) {
          return { errorCode: ErrorCode.INVALID_REQUEST, apiKeys: [] };
        }
        context.connection.clientSoftware = { name, version };
      }
      if (isMisrouted(broker, request)) {
        return { errorCode: ErrorCode.REBOOTSTRAP_REQUIRED, apiKeys: [] };
      }
      context.connection.sasl?.versionsAnswered();
      const features = broker.cluster.features;
      return {
        errorCode: ErrorCode.NONE,
        apiKeys: served(),
        supportedFeatures: features.supported,
        finalizedFeaturesEpoch: features.finalizedEpoch,
        finalizedFeatures: features.finalized,
      };
    },
  };
}

function isMisrouted(broker: Broker, { clusterId, nodeId }: ApiVersionsRequest): boolean {
  if (clusterId === null) return false;
  return clusterId !== broker.cluster.clusterId || nodeId !== broker.cluster.brokerId;
}
