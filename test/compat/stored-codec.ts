/**
 * What a broker keeps of a codec test: the batches as a raw Fetch returns them, never a client's
 * view of them. A topic named `<prefix>codec-<codec>` must be stored in that codec, whatever the
 * reference does; the lines that come of it join the program's transcript, so that both brokers are
 * compared on them as well.
 */
import { type RawClient, rawClient } from "./raw-client.ts";

/** The names by the low three bits of a batch's attributes. */
const CODEC_NAMES = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

export interface StoredBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly magic: number;
  readonly codec: string;
  readonly timestampType: "CreateTime" | "LogAppendTime";
  readonly recordCount: number;
}

const BATCH_HEADER_BYTES = 61;
const LENGTH_FIELD_END = 12;

/**
 * The complete batches of a record set (format v2); a last one that was cut by a size limit is left
 * out.
 */
export function readBatches(recordSet: Buffer): readonly StoredBatch[] {
  const batches: StoredBatch[] = [];
  let at = 0;
  while (at + BATCH_HEADER_BYTES <= recordSet.length) {
    const end = at + LENGTH_FIELD_END + recordSet.readInt32BE(at + 8);
    if (end > recordSet.length) break;
    const baseOffset = Number(recordSet.readBigInt64BE(at));
    const attributes = recordSet.readInt16BE(at + 21);
    batches.push({
      baseOffset,
      lastOffset: baseOffset + recordSet.readInt32BE(at + 23),
      magic: recordSet.readInt8(at + 16),
      codec: CODEC_NAMES[attributes & 7] ?? `unknown-${attributes & 7}`,
      timestampType: (attributes & 8) === 0 ? "CreateTime" : "LogAppendTime",
      recordCount: recordSet.readInt32BE(at + 57),
    });
    at = end;
  }
  return batches;
}

async function storedBatches(client: RawClient, topic: string): Promise<readonly StoredBatch[]> {
  const batches: StoredBatch[] = [];
  for (;;) {
    const offset = (batches.at(-1)?.lastOffset ?? -1) + 1;
    const fetched = await client.fetch(topic, 0, offset);
    if (fetched.errorCode !== 0) throw new Error(`Fetch of ${topic}: error ${fetched.errorCode}`);
    const more = readBatches(fetched.recordSet);
    batches.push(...more);
    if (more.length === 0 || (batches.at(-1)?.lastOffset ?? -1) + 1 >= fetched.highWatermark)
      return batches;
  }
}

export interface StoredCodecs {
  /** Transcript lines, one a topic, in the order of the topics' names. */
  readonly lines: readonly string[];
  /** Topics that are not stored in the codec that their name promises. */
  readonly wrong: readonly string[];
}

/**
 * How many batches a producer made depends on timing, so a line has the codecs and the records, not
 * the batches.
 */
export async function storedCodecs(port: number, prefix: string): Promise<StoredCodecs> {
  const client = rawClient(port);
  const marker = `${prefix}codec-`;
  const topics = (await client.topics())
    .map(({ topic }) => topic)
    .filter((topic) => topic.startsWith(marker));
  const lines: string[] = [];
  const wrong: string[] = [];
  for (const topic of topics.sort()) {
    const batches = await storedBatches(client, topic);
    const codecs = [...new Set(batches.map(({ codec }) => codec))].sort();
    const promised = topic.slice(marker.length).split("-")[0] ?? "";
    if (codecs.length !== 1 || codecs[0] !== promised)
      wrong.push(`${topic}: ${codecs.join(", ") || "empty"}`);
    lines.push(
      JSON.stringify({
        at: `stored-codec/${topic}`,
        codecs,
        magic: [...new Set(batches.map(({ magic }) => magic))],
        timestampTypes: [...new Set(batches.map(({ timestampType }) => timestampType))],
        records: batches.reduce((sum, { recordCount }) => sum + recordCount, 0),
        lastOffset: batches.at(-1)?.lastOffset ?? -1,
      }),
    );
  }
  return { lines, wrong };
}
