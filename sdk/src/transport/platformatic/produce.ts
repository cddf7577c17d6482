/**
 * Produce over @platformatic/kafka, v11, with batches that are encoded here.
 *
 * A request is encoded when its turn on the connection comes. Uncompressed batches are written into
 * memory that is used again: the connection copies what it is given into the request's own bytes
 * before anything else can happen. Fresh memory for each batch would make V8 collect all of its heap
 * every few dozen requests.
 */
import { type API, createAPI, produceV11, Writer } from "@platformatic/kafka";
import { requestBytesMax } from "../../limits.ts";
import type { ProduceRequest, ProduceResult } from "../transport.ts";
import type { Connections } from "./connections.ts";
import { brokerError } from "./failures.ts";
import { compressRecordBatch, recordBatchBound, writeRecordBatch } from "./record-batch.ts";

type ProduceResponse = ReturnType<typeof produceV11.parseResponse>;

interface EncodedBatch {
  readonly partition: number;
  readonly bytes: Buffer;
}

const acksOnTheWire = { all: -1, leader: 1 } as const;
/** A request of one record may be larger; memory for that is not kept. */
const keptBytesMax = 2 * requestBytesMax;

export class Produce {
  readonly #connections: Connections;
  #memory = Buffer.alloc(0);
  readonly #api: API<[request: ProduceRequest], ProduceResponse> = createAPI(
    produceV11.api.key,
    produceV11.api.version,
    (request: ProduceRequest) => this.#encode(request),
    produceV11.parseResponse,
  );

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  async send(node: number, request: ProduceRequest): Promise<readonly ProduceResult[]> {
    const connection = await this.#connections.toNode(node);
    const { responses } = await this.#connections.call(connection, this.#api, request);
    return responses.flatMap(({ name, partitionResponses }) =>
      partitionResponses.map((answer): ProduceResult => {
        const error = brokerError(answer.errorCode, answer.errorMessage);
        const stampedMs = Number(answer.logAppendTimeMs);
        return {
          topic: name,
          partition: answer.index,
          baseOffset: Number(answer.baseOffset),
          ...(stampedMs < 0 ? {} : { logAppendTimeMs: stampedMs }),
          ...(error === undefined ? {} : { error }),
        };
      }),
    );
  }

  #encode(request: ProduceRequest): Writer | Promise<Writer> {
    const { compression } = request;
    if (compression !== "none") return compressed(request, compression);
    const bounds = request.batches.map(({ records }) => recordBatchBound(records));
    const memory = this.#take(bounds.reduce((sum, bytes) => sum + bytes, 0));
    let at = 0;
    const encoded = request.batches.map(({ records, sequence }) => {
      const bytes = writeRecordBatch(memory.subarray(at), records, sequence);
      at += bytes.length;
      return bytes;
    });
    return payloadOf(request, encoded);
  }

  #take(bytes: number): Buffer {
    if (bytes <= this.#memory.length) return this.#memory;
    const memory = Buffer.allocUnsafeSlow(bytes);
    if (bytes <= keptBytesMax) this.#memory = memory;
    return memory;
  }
}

/** Compressing may take turns of the event loop, so each batch has memory of its own. */
async function compressed(
  request: ProduceRequest,
  compression: Parameters<typeof compressRecordBatch>[1],
): Promise<Writer> {
  const encoded: Buffer[] = [];
  for (const { records, sequence } of request.batches) {
    const memory = Buffer.allocUnsafe(recordBatchBound(records));
    encoded.push(
      await compressRecordBatch(writeRecordBatch(memory, records, sequence), compression),
    );
  }
  return payloadOf(request, encoded);
}

/** `encoded` holds the request's batches in their order. */
function payloadOf(request: ProduceRequest, encoded: readonly Buffer[]): Writer {
  const topics = new Map<string, EncodedBatch[]>();
  for (const [index, { topic, partition }] of request.batches.entries()) {
    const bytes = encoded[index];
    if (bytes === undefined) break;
    const batches = topics.get(topic);
    if (batches === undefined) topics.set(topic, [{ partition, bytes }]);
    else batches.push({ partition, bytes });
  }
  return Writer.create()
    .appendString(null)
    .appendInt16(acksOnTheWire[request.acks])
    .appendInt32(request.timeoutMs)
    .appendArray([...topics], (topicWriter, [topic, batches]) => {
      topicWriter.appendString(topic).appendArray(batches, (writer, { partition, bytes }) => {
        writer
          .appendInt32(partition)
          .appendUnsignedVarInt(bytes.length + 1)
          .append(bytes);
      });
    })
    .appendTaggedFields();
}
