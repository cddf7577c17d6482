/**
 * InitProducerId v0–v5: a fresh producer id for an idempotent producer (KIP-98).
 *
 * Ids are reserved in blocks, durably, before one is given out, so none is ever given twice.
 * A client that names the id that it had gets a new one, as in Kafka, where only transactional ids
 * keep theirs. Where the store does not answer, the client is told to ask again. Transactional ids
 * are refused, clearly and for good, until transactions are served.
 */
import { MetadataError } from "@millrace/core";
import {
  ApiKey,
  ErrorCode,
  type InitProducerIdRequest,
  type InitProducerIdResponseInput,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Handler } from "./handler.ts";

const noProducer = { producerId: -1, producerEpoch: -1 } as const;

export function initProducerIdHandler(
  broker: Broker,
): Handler<InitProducerIdRequest, InitProducerIdResponseInput> {
  return {
    apiKey: ApiKey.InitProducerId,
    versions: { min: 0, max: 5 },
    handle: async (request) => {
      const isHalf = (request.producerId === -1) !== (request.producerEpoch === -1);
      if (request.transactionalId !== null || isHalf) {
        return { errorCode: ErrorCode.INVALID_REQUEST, ...noProducer };
      }
      try {
        const producerId = await broker.cluster.allocateProducerId();
        return { errorCode: ErrorCode.NONE, producerId, producerEpoch: 0 };
      } catch (error) {
        if (!(error instanceof MetadataError)) throw error;
        broker.log.warn({ err: error }, "no producer id could be reserved");
        return { errorCode: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ...noProducer };
      }
    },
  };
}
