/** KafkaJS against a broker: prints the transcript that test/compat/scenarios.md describes. */
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { lz4Compress, lz4Decompress } from "@platformatic/wasm-utils";
import kafkajs from "kafkajs";
import snappyCodec from "kafkajs-snappy";
import { cluster, configs, topics } from "./admin.mjs";
import { groupAdmin, handover } from "./groups.mjs";
import { codecs, errors, idempotent, records, seek, timestamps } from "./records.mjs";
import { runScenarios } from "./transcript.mjs";

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;

/** KafkaJS itself has gzip only; the other codecs are plugged in as its documentation shows. */
CompressionCodecs[CompressionTypes.Snappy] = snappyCodec;
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder) => lz4Compress(encoder.buffer),
  decompress: async (buffer) => lz4Decompress(buffer),
});
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => zstdCompressSync(encoder.buffer),
  decompress: async (buffer) => zstdDecompressSync(buffer),
});

const [bootstrap, prefix] = process.argv.slice(2);
const kafka = new Kafka({
  brokers: [bootstrap],
  clientId: "member",
  logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 50, retries: 5 },
});
const admin = kafka.admin();
await admin.connect();
await runScenarios(
  {
    cluster,
    topics,
    configs,
    codecs,
    records,
    timestamps,
    seek,
    idempotent,
    "group-roundrobin": handover,
    "group-admin": groupAdmin,
    errors,
  },
  { kafka, admin, prefix, name: (suffix) => `${prefix}${suffix}` },
);
await admin.disconnect();
// A scenario that failed may have left a client open.
process.exit();
