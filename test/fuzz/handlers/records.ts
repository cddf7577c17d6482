import { loadCodecs } from "@millrace/adapter-node";
import { buildBatch, type Codec, computeBatchCrc, crc32c, type NewRecord } from "@millrace/wire";
import type { Chance } from "../chance.ts";
import { joined, mutateBytes } from "../mutate-bytes.ts";
import type { Focus } from "./knowledge.ts";

const codecs: readonly Codec[] = Object.values(loadCodecs().codecs);
const nowMs = 1_700_000_000_000;
/** Decompressed bytes of what stands for a compression bomb: past the broker's limit. */
const bombBytes = 80 << 20;
const maxInt32 = 0x7fffffff;
const safe = Number.MAX_SAFE_INTEGER;

/** A records field: mostly one batch as a producer sends it, else one that no producer sends. */
export function recordsFor(focus: Focus, chance: Chance): Uint8Array {
  const kind = chance.below(100);
  if (kind < 55) return batchFor(focus, chance);
  if (kind < 60) return joined(batchFor(focus, chance), batchFor(focus, chance));
  if (kind < 78) return sealed(mutateBytes(batchFor(focus, chance), chance));
  if (kind < 90) return mutateBytes(batchFor(focus, chance), chance);
  if (kind === 90 && chance.perThousand(50)) return bomb(chance);
  if (kind < 95) return header(chance);
  return chance.bytes(chance.skewed(200));
}

function batchFor({ producer }: Focus, chance: Chance): Uint8Array {
  const count = 1 + chance.skewed(30);
  const records = Array.from({ length: count }, () => recordOf(chance));
  const codec = chance.perThousand(400) ? chance.pick(codecs) : undefined;
  const compressed = codec === undefined ? { crc32c } : { crc32c, codec };
  if (producer === undefined || chance.perThousand(500)) return buildBatch(records, compressed);
  const { id, epoch, sequence } = producer;
  const isNext = chance.perThousand(800);
  const other = (): number => chance.pick([0, sequence + 5, maxInt32, Math.max(0, sequence - 1)]);
  const baseSequence = isNext ? sequence : other();
  if (isNext) producer.sequence = (sequence + count) % (maxInt32 + 1);
  return buildBatch(records, {
    ...compressed,
    producerId: id,
    producerEpoch: chance.perThousand(900) ? epoch : chance.pick([0, -1, 1, 0x7fff]),
    baseSequence,
    isTransactional: chance.perThousand(40),
    isControl: chance.perThousand(20),
  });
}

function recordOf(chance: Chance): NewRecord {
  const bytes = (): Uint8Array | null =>
    chance.perThousand(200) ? null : chance.bytes(chance.skewed(60));
  const timestamp = chance.perThousand(900)
    ? nowMs + chance.below(10_000)
    : chance.pick([-1, 0, -2, safe, nowMs * 2, maxInt32]);
  const headers = Array.from({ length: chance.pick([0, 0, 0, 1, 3]) }, () => ({
    key: chance.pick(["", "trace", "größe"]),
    value: bytes(),
  }));
  return { key: bytes(), value: bytes(), headers, timestamp };
}

/** Whose CRC is right and whose insides are not. */
function sealed(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 61) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setInt32(8, bytes.length - 12);
  view.setInt8(16, 2);
  view.setUint32(17, computeBatchCrc(bytes, view, 0, crc32c));
  return bytes;
}

const bombs = new Map<string, Uint8Array>();

/** Made once for each codec: making one takes longer than refusing it. */
function bomb(chance: Chance): Uint8Array {
  const codec = chance.pick(codecs.filter(({ name }) => name === "gzip" || name === "zstd"));
  let made = bombs.get(codec.name);
  if (made === undefined) {
    made = buildBatch([{ key: null, value: new Uint8Array(bombBytes) }], { crc32c, codec });
    bombs.set(codec.name, made);
  }
  return made.slice();
}

/** A batch that is all header: counts and deltas at their edges, and nothing behind them. */
function header(chance: Chance): Uint8Array {
  const bytes = buildBatch([{ key: null, value: null }], { crc32c });
  const view = new DataView(bytes.buffer);
  view.setInt32(23, chance.pick([0, -1, maxInt32, 1, 1_000_000]));
  view.setInt32(57, chance.pick([0, -1, 1, maxInt32, 1_000_001]));
  view.setInt16(21, chance.below(0x80));
  return sealed(bytes);
}
