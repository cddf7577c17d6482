import { MetadataError } from "@millrace/core";
import {
  buildBatch,
  crc32c,
  ErrorCode,
  type InitProducerIdResponseInput,
  type PartitionProduceData,
  type ProduceRequest,
  type ProduceResponseInput,
  type Uuid,
  uuidFromHex,
  zeroUuid,
} from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { CloseConnection } from "../server/close-reason.ts";
import { produceHandler } from "./00-produce.ts";
import { initProducerIdHandler } from "./22-init-producer-id.ts";
import { batch, contextOf, HandlerKit } from "./partition-kit.ts";

const strangeId = uuidFromHex(`${"0".repeat(31)}9`);
const newest = 13;
const oldest = 3;
let kit: HandlerKit;
let topicId: Uuid;

beforeEach(async () => {
  kit = await HandlerKit.start();
  topicId = await kit.createTopic("t", { partitions: 3 });
});

interface Changes {
  readonly acks?: number;
  readonly transactionalId?: string | null;
  readonly name?: string;
  readonly topicId?: Uuid;
}

function requestOf(parts: readonly PartitionProduceData[], changes: Changes = {}): ProduceRequest {
  const { acks = -1, transactionalId = null, name = "t" } = changes;
  const topic = { name, topicId: changes.topicId ?? zeroUuid, partitionData: parts };
  return { acks, transactionalId, timeoutMs: 1000, topicData: [topic] };
}

function send(
  parts: readonly PartitionProduceData[],
  changes: Changes = {},
  version = oldest,
): Promise<ProduceResponseInput> {
  return kit.ask(produceHandler(kit.broker), version, requestOf(parts, changes));
}

async function codesOf(answer: Promise<ProduceResponseInput>): Promise<readonly number[]> {
  const { responses } = await answer;
  return responses.flatMap((topic) => topic.partitionResponses.map((part) => part.errorCode));
}

/** The last byte is another than its CRC says. */
function corrupt(): Uint8Array {
  const bytes = batch(3);
  bytes.fill(0xff, -1);
  return bytes;
}

const good = (index = 0): PartitionProduceData => ({ index, records: batch(3) });

describe("Produce", () => {
  it("answers in every version, from v13 on for a topic's id", async () => {
    for (let version = oldest; version < newest; version += 1) {
      const { responses } = await send([good()], {}, version);
      const baseOffset = (version - oldest) * 3;
      expect(responses).toMatchObject([{ name: "t", partitionResponses: [{ baseOffset }] }]);
    }
    const { responses } = await send([good()], { name: "", topicId }, newest);
    expect(responses).toMatchObject([{ topicId, partitionResponses: [{ baseOffset: 30 }] }]);
  });

  it("names what it does not know in the words of the version, a zero id included", async () => {
    expect(await codesOf(send([good(9), good(-1), good()]))).toEqual([3, 3, 0]);
    expect(await codesOf(send([good()], { name: "no" }))).toEqual([3]);
    expect(await codesOf(send([good()], { name: "" }, 12))).toEqual([3]);
    const unknown = ErrorCode.UNKNOWN_TOPIC_ID;
    expect(await codesOf(send([good()], { topicId: strangeId }, newest))).toEqual([unknown]);
    expect(await codesOf(send([good()], { name: "" }, newest))).toEqual([unknown]);
  });

  it("looks for topic and partition before it looks at acks", async () => {
    const invalid = ErrorCode.INVALID_REQUIRED_ACKS;
    expect(await codesOf(send([good(), good(9)], { acks: 2 }))).toEqual([invalid, 3]);
    expect(await codesOf(send([good()], { acks: -2 }))).toEqual([invalid]);
    expect(await codesOf(send([good()], { acks: 2, name: "no" }))).toEqual([3]);
  });

  it("writes no internal topic for a client", async () => {
    await kit.rig.cluster.ensureInternalTopic("__consumer_offsets");
    const codes = await codesOf(send([good()], { name: "__consumer_offsets" }));
    expect(codes).toEqual([ErrorCode.INVALID_TOPIC_EXCEPTION]);
  });

  it("refuses a partition without harm to the others", async () => {
    const parts = [{ index: 0, records: corrupt() }, good(1), { index: 2, records: null }];
    const codes = [ErrorCode.CORRUPT_MESSAGE, 0, ErrorCode.INVALID_RECORD];
    expect(await codesOf(send(parts))).toEqual(codes);
  });

  it("takes no batch that would stop its partition's consumers, and goes on with the next", async () => {
    const record = { key: null, value: Uint8Array.of(1) };
    const misnumbered = buildBatch([record, { ...record, offsetDelta: 5 }], {
      crc32c,
      lastOffsetDelta: 1,
    });
    const keyless = await kit.createTopic("compacted", {
      configs: { "cleanup.policy": "compact" },
    });
    const { responses } = await send([{ index: 0, records: misnumbered }, good(1)], {}, 8);
    expect(responses[0]?.partitionResponses).toMatchObject([
      {
        errorCode: ErrorCode.INVALID_RECORD,
        baseOffset: -1,
        logStartOffset: 0,
        recordErrors: [],
        errorMessage: "record 1 is malformed: offset-delta",
      },
      { errorCode: 0, baseOffset: 0 },
    ]);
    const again = await send([good()], {}, 8);
    expect(again.responses[0]?.partitionResponses).toMatchObject([{ baseOffset: 0 }]);
    const records = buildBatch([{ ...record, key: Uint8Array.of(1) }, record], { crc32c });
    const named = await send([{ index: 0, records }], { name: "", topicId: keyless }, newest);
    expect(named.responses[0]?.partitionResponses).toMatchObject([
      { errorCode: ErrorCode.INVALID_RECORD, recordErrors: [{ batchIndex: 1 }] },
    ]);
  });

  it("takes no transactional records, and nothing else of their request", async () => {
    const producer = { producerId: 9, producerEpoch: 0, baseSequence: 0, isTransactional: true };
    const parts = [good(), { index: 1, records: batch(1, producer) }];
    const refused = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    expect(await codesOf(send(parts))).toEqual([refused, refused]);
    const state = ErrorCode.INVALID_TXN_STATE;
    expect(await codesOf(send(parts, { transactionalId: "x" }))).toEqual([state, state]);
    expect(await codesOf(send([good()], { transactionalId: "x" }))).toEqual([0]);
    const { responses } = await send([good()]);
    expect(responses[0]?.partitionResponses[0]?.baseOffset).toBe(3);
  });

  it("names the log's start where the log itself refused, and tells why from v8 on", async () => {
    const producer = { producerId: 9, producerEpoch: 0, baseSequence: 0 };
    await send([{ index: 0, records: batch(1, producer) }]);
    const gap = batch(1, { ...producer, baseSequence: 5 });
    const { responses } = await send([{ index: 0, records: gap }], {}, 8);
    expect(responses[0]?.partitionResponses[0]).toMatchObject({
      errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
      baseOffset: -1,
      logStartOffset: 0,
      errorMessage: expect.stringContaining("sequence 5"),
    });
    const bad = await send([{ index: 0, records: corrupt() }], {}, 8);
    expect(bad.responses[0]?.partitionResponses[0]).toMatchObject({ logStartOffset: -1 });
  });

  it("answers a duplicate with the offsets that it had", async () => {
    const producer = { producerId: 9, producerEpoch: 0, baseSequence: 0 };
    await send([good()]);
    await send([{ index: 0, records: batch(2, producer) }]);
    const { responses } = await send([{ index: 0, records: batch(2, producer) }]);
    expect(responses[0]?.partitionResponses).toMatchObject([{ errorCode: 0, baseOffset: 3 }]);
  });

  it("has no reply to acks=0, and closes the connection on a refusal", async () => {
    const handler = produceHandler(kit.broker);
    const ask = async (part: PartitionProduceData): Promise<unknown> =>
      handler.handle(requestOf([part], { acks: 0 }), contextOf(newest - 1));
    expect(await kit.settled(ask(good()))).toBeUndefined();
    await expect(kit.settled(ask(good(9)))).rejects.toThrow(CloseConnection);
    await expect(kit.settled(ask({ index: 0, records: null }))).rejects.toThrow(CloseConnection);
  });
});

describe("InitProducerId", () => {
  const ask = (changes: object): Promise<InitProducerIdResponseInput> =>
    kit.ask(initProducerIdHandler(kit.broker), 5, {
      ...{ transactionalId: null, transactionTimeoutMs: 1000, producerId: -1, producerEpoch: -1 },
      ...{ enable2Pc: false, keepPreparedTxn: false },
      ...changes,
    });

  it("gives every idempotent producer a new id, also one that had one", async () => {
    const first = await ask({});
    const second = await ask({ producerId: first.producerId, producerEpoch: 3 });
    expect([first.errorCode, second.errorCode]).toEqual([0, 0]);
    expect(second.producerId).not.toBe(first.producerId);
  });

  it.each([
    { transactionalId: "x" },
    { transactionalId: "" },
    { producerId: 5 },
    { producerEpoch: 5 },
  ])("refuses %j for good", async (changes) => {
    expect(await ask(changes)).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST });
  });

  it("tells its client to ask again where the store does not answer", async () => {
    const away = new MetadataError("away", { retriable: true, applied: "no" });
    kit.broker.cluster.allocateProducerId = () => Promise.reject(away);
    const { COORDINATOR_LOAD_IN_PROGRESS: errorCode } = ErrorCode;
    expect(await ask({})).toMatchObject({ errorCode, producerId: -1, producerEpoch: -1 });
  });
});
