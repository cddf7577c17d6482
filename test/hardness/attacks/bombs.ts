/** Small requests that become large: compressed records, and frames full of tiny elements. */
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { loadCodecs } from "@millrace/adapter-node";
import { ApiKey, buildBatch, type Codec, crc32c, type RequestInputByKey } from "@millrace/wire";
import { type Attack, expectClosed, expectEqual, mebibytes, type Stage } from "../attack.ts";
import { int32, rawRequest } from "../requests.ts";
import { createTopic } from "../subject.ts";

const { gzip, zstd, lz4, snappy } = loadCodecs().codecs;
const codecs = [gzip, zstd, lz4, snappy].filter((codec) => codec !== undefined);

/** Zeros, compressed: 1 GiB for the codecs that go below a thousandth, less for the others. */
function bombBytes(codec: Codec): Uint8Array {
  switch (codec.name) {
    case "gzip":
      return gzipSync(new Uint8Array(mebibytes(900)), { level: 9 });
    case "zstd":
      return zstdCompressSync(new Uint8Array(mebibytes(1024)), {
        params: { [constants.ZSTD_c_compressionLevel]: 3 },
      });
    case "lz4":
      return codec.compress(new Uint8Array(mebibytes(200)));
    default:
      return codec.compress(new Uint8Array(mebibytes(20)));
  }
}

/** A batch whose body is those bytes, with a right CRC. */
function bomb(codec: Codec): Uint8Array {
  const body = bombBytes(codec);
  return buildBatch([{ key: null, value: null }], {
    crc32c,
    codec: { ...codec, compress: () => body },
  });
}

async function produce(
  stage: Stage,
  topic: string,
  records: Uint8Array,
): Promise<number | undefined> {
  const client = await stage.client();
  const request: RequestInputByKey[0] = {
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records }] }],
  };
  const { responses } = await client.ask(ApiKey.Produce, 9, request);
  return responses[0]?.partitionResponses[0]?.errorCode;
}

/** CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE, INVALID_RECORD. */
const refusedCodes = [2, 10, 76, 87];

const compressed: Attack = {
  name: "compression bombs",
  does: "batches of at most 1 MB of each codec at once that open to up to 1 GiB, to topics of each compression.type",
  memory: {
    bytes: mebibytes(2 * 3 * 64 + 128),
    because:
      "a body in each thread of side work, cut off at decompressedBytesMax (64 MiB) and copied twice at most",
  },
  perform: async (stage) => {
    const answers = new Set<number | undefined>();
    for (const type of ["producer", "uncompressed", "zstd", "lz4"]) {
      await createTopic(stage.subject.port, `bombed-${type}`, {
        configs: { "compression.type": type, "max.message.bytes": "2000000" },
      });
      const bombs = codecs.map((codec) => ({ codec, records: bomb(codec) }));
      const throwAt = async ({ codec, records }: (typeof bombs)[number]): Promise<void> => {
        const errorCode = await produce(stage, `bombed-${type}`, records);
        answers.add(errorCode);
        const isRefused = errorCode !== undefined && refusedCodes.includes(errorCode);
        if (!isRefused) expectEqual(errorCode, refusedCodes, `${codec.name} to ${type}`);
      };
      await Promise.all(bombs.map(throwAt));
    }
    return `${codecs.length} codecs × 4 topics; refused: error ${[...answers].sort().join(", ")}`;
  },
};

const many = 12_000_000;

/** Frames of nearly 100 MB whose arrays together have millions of elements. */
const elements: Attack = {
  name: "frames full of elements",
  does: "Produce, Fetch, OffsetCommit, DeleteTopics of up to twelve million elements in 100 MB",
  memory: {
    bytes: mebibytes(256 + 200),
    because: "the frame, as it grows by four, and requestElementsMax elements decoded",
  },
  perform: async (stage) => {
    // Produce v3: no transactional id, acks, timeout; topics of 900,000 partitions of 8 bytes each.
    const partition = Buffer.concat([int32(0), int32(-1)]);
    const perTopic = 900_000;
    const topic = Buffer.concat([
      Buffer.from([0, 1, 0x74]),
      int32(perTopic),
      Buffer.alloc(perTopic * partition.length, partition),
    ]);
    const topics = Math.floor(many / perTopic);
    const head = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff]), int32(1000), int32(topics)]);
    const produced = Buffer.concat([head, ...Array.from({ length: topics }, () => topic)]);
    await expectClosed(stage, rawRequest(ApiKey.Produce, 3, produced), "undecodable");
    // OffsetFetch v1: a group, and topics without partitions: 6 bytes each.
    const emptyTopic = Buffer.from([0, 0, 0, 0, 0, 0]);
    const fetched = Buffer.concat([
      Buffer.from([0, 1, 0x67]),
      int32(999_999),
      Buffer.alloc(999_999 * emptyTopic.length, emptyTopic),
    ]);
    await expectClosed(stage, rawRequest(ApiKey.OffsetFetch, 1, fetched), "undecodable");
    // DeleteTopics v1: empty names, 2 bytes each.
    const names = Buffer.concat([int32(999_999), Buffer.alloc(2 * 999_999), int32(0)]);
    await expectClosed(stage, rawRequest(ApiKey.DeleteTopics, 1, names), "undecodable");
    return "closed: undecodable";
  },
};

/** V8 hashes longer strings by their length alone: as keys, each is compared with all of them. */
const slowNames: Attack = {
  name: "names that are slow to tell apart",
  does: "DeleteTopics of 5,000 names of 16,400 bytes that differ in the last",
  memory: { bytes: mebibytes(256), because: "the frame, as it grows by four" },
  perform: async (stage) => {
    const count = 5_000;
    const bytes = 16_400;
    const names = Array.from({ length: count }, (_, index) => {
      const name = Buffer.alloc(2 + bytes, "x");
      name.writeInt16BE(bytes);
      name[name.length - 1] = index % 128;
      name[name.length - 2] = Math.floor(index / 128);
      return name;
    });
    const asked = Buffer.concat([int32(count), ...names, int32(0)]);
    await expectClosed(stage, rawRequest(ApiKey.DeleteTopics, 1, asked), "undecodable");
    return "closed: undecodable";
  },
};

export const bombAttacks: readonly Attack[] = [compressed, elements, slowNames];
