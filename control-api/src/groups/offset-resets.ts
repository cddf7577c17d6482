/**
 * Where a reset of a group's offsets leads: asked of the brokers first, then decided at once. As with
 * Kafka's own tool, an offset outside of a partition goes to its nearer end, and a time that no record
 * has reached to its last one.
 */
import { resetPartitionsMax } from "../limits.ts";
import type { ClusterAdmin, CommittedOffset, PartitionEnds } from "../ports/cluster-admin.ts";
import { ProblemError, type ProblemPlace } from "../problems.ts";
import type { OffsetReset, ResetPartition } from "../schemas/group-offsets.ts";

/** What the brokers say of a topic that resets name. */
export interface KnownTopic {
  readonly ends: readonly PartitionEnds[];
  /** By the time in ms since 1970, then by partition. */
  readonly atTimes: ReadonlyMap<number, ReadonlyMap<number, number>>;
}

type AskedAdmin = Pick<ClusterAdmin, "offsets" | "offsetsAt">;

/** Throws KafkaRefusal (UNKNOWN_TOPIC_OR_PARTITION), ClusterUnavailableError. */
export async function knownTopics(
  admin: AskedAdmin,
  resets: readonly OffsetReset[],
): Promise<ReadonlyMap<string, KnownTopic>> {
  const names = [...new Set(resets.map(({ topic }) => topic))];
  const known = names.map(async (name): Promise<readonly [string, KnownTopic]> => {
    const times = new Set(
      resets.flatMap(({ to, topic }) => (topic === name ? (timeIn(to) ?? []) : [])),
    );
    const [ends, ...found] = await Promise.all([
      admin.offsets(name),
      ...Array.from(times, (time) => offsetsAt(admin, name, time)),
    ]);
    return [name, { ends, atTimes: new Map(found) }];
  });
  return new Map(await Promise.all(known));
}

/** The partitions with what is and what would be committed, by topic and partition. Throws ProblemError. */
export function plannedReset(
  resets: readonly OffsetReset[],
  topics: ReadonlyMap<string, KnownTopic>,
  committed: readonly CommittedOffset[],
): readonly ResetPartition[] {
  const planned = new Map<string, ResetPartition>();
  const before = new Map(committed.map((one) => [placeOf(one), one.offset]));
  for (const [at, reset] of resets.entries()) {
    const known = topics.get(reset.topic);
    if (known === undefined) continue;
    const named = partitionsOf(reset, known, at);
    if (planned.size + named.length > resetPartitionsMax) {
      throw wrongReset(at, `a request resets at most ${resetPartitionsMax} partitions`);
    }
    for (const ends of named) {
      const { partition } = ends;
      const { topic } = reset;
      const place = placeOf({ topic, partition });
      if (planned.has(place)) {
        throw wrongReset(at, `partition ${partition} of ${topic} is named twice`);
      }
      const offset = offsetFor(reset.to, known, ends);
      planned.set(place, { topic, partition, committed: before.get(place) ?? -1, offset });
    }
  }
  return [...planned.values()].toSorted(
    (a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0) || a.partition - b.partition,
  );
}

function placeOf({ partition, topic }: Pick<ResetPartition, "partition" | "topic">): string {
  return `${topic}/${partition}`;
}

function partitionsOf(
  { partition, topic }: OffsetReset,
  { ends }: KnownTopic,
  at: number,
): readonly PartitionEnds[] {
  if (partition === undefined) return ends;
  const found = ends.find((one) => one.partition === partition);
  if (found !== undefined) return [found];
  const detail = `there is no partition ${partition} of ${topic}`;
  const errors: readonly ProblemPlace[] = [{ pointer: `/resets/${at}/partition`, detail }];
  throw new ProblemError("not-found", detail, { code: "UNKNOWN_TOPIC_OR_PARTITION", errors });
}

function offsetFor(to: OffsetReset["to"], known: KnownTopic, ends: PartitionEnds): number {
  const { earliestOffset, latestOffset, partition } = ends;
  if (to === "earliest") return earliestOffset;
  if (to === "latest") return latestOffset;
  const time = timeIn(to);
  const wanted =
    time === undefined && "offset" in to ? to.offset : known.atTimes.get(time ?? 0)?.get(partition);
  return Math.max(earliestOffset, Math.min(wanted ?? latestOffset, latestOffset));
}

async function offsetsAt(
  admin: AskedAdmin,
  topic: string,
  timestampMs: number,
): Promise<readonly [number, ReadonlyMap<number, number>]> {
  const found = await admin.offsetsAt(topic, timestampMs);
  return [timestampMs, new Map(found.map(({ offset, partition }) => [partition, offset]))];
}

/** Not before 1970: ListOffsets has meanings of its own for negative times. */
function timeIn(to: OffsetReset["to"]): number | undefined {
  if (typeof to === "string" || !("timestamp" in to)) return undefined;
  return Math.max(0, Date.parse(to.timestamp));
}

function wrongReset(at: number, detail: string): ProblemError {
  return new ProblemError("invalid-request", detail, {
    errors: [{ pointer: `/resets/${at}`, detail }],
  });
}
