/** What is too much for one machine to count, as the brokers' rules have it. */
import { journalLimits } from "../../broker-fargate/src/journal/limits.ts";
import { tierLimits } from "../../broker-fargate/src/tier/limits.ts";
import type { Counts } from "./counts.ts";
import type { Measured } from "./scenarios.ts";

const secondsPerHour = 3_600;

/** Journal objects of one broker in an hour: by the linger time, or by their size above it. */
export function journalPutsPerHour(bytesPerSecond: number): number {
  const byTime = 1_000 / journalLimits.lingerMs;
  const bySize = bytesPerSecond / journalLimits.objectBytes;
  return Math.max(byTime, bySize) * secondsPerHour;
}

/**
 * So many times the load on the same broker, with as many partitions: checkpoints, cold segments
 * and what is written of them in the metadata grow with the bytes, the journal by its own rule, and
 * heartbeats and looks not at all.
 */
export function scaledByBytes(measured: Measured, idle: Measured, factor: number): Counts {
  const { all, puts } = measured.perHour;
  const { readUnits, writeUnits } = idle.perHour.all;
  const others = all.puts - (puts.get("journal") ?? 0);
  return {
    ...all,
    puts: others * factor + journalPutsPerHour(measured.bytesPerSecond * factor),
    deletes: all.deletes * factor,
    putBytes: all.putBytes * factor,
    readUnits: readUnits + (all.readUnits - readUnits) * factor,
    writeUnits: writeUnits + (all.writeUnits - writeUnits) * factor,
  };
}

/** The same among other brokers: who is not alone heartbeats and looks more often. */
export function amongOthers(
  { perHour: { all } }: Measured,
  idle: { readonly alone: Measured; readonly among: Measured },
): Counts {
  const [alone, among] = [idle.alone.perHour.all, idle.among.perHour.all];
  return {
    ...all,
    readUnits: all.readUnits - alone.readUnits + among.readUnits,
    writeUnits: all.writeUnits - alone.writeUnits + among.writeUnits,
  };
}

/**
 * So many partitions, where two counts of fewer are known, by the straight line through the two. But
 * a checkpoint that would be too large is several, at most as many as all that is put would fill.
 */
export function grownByPartitions(
  [fewer, more]: readonly [PartitionsCounted, PartitionsCounted],
  partitions: number,
): Counts {
  const steps = (partitions - more.partitions) / (more.partitions - fewer.partitions);
  const grown = (name: keyof Counts): number => {
    return more.counts[name] + steps * Math.max(0, more.counts[name] - fewer.counts[name]);
  };
  const fullCheckpoints = grown("putBytes") / tierLimits.checkpointBytesMax;
  return {
    puts: grown("puts") + fullCheckpoints,
    gets: grown("gets"),
    lists: grown("lists"),
    deletes: grown("deletes"),
    putBytes: grown("putBytes"),
    getBytes: grown("getBytes"),
    readUnits: grown("readUnits"),
    writeUnits: grown("writeUnits"),
  };
}

export interface PartitionsCounted {
  readonly partitions: number;
  readonly counts: Counts;
}
