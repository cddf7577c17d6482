/** What a broker holds at a moment: from its metrics, from the kernel, and from its data directory. */
import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { readMetrics } from "../bench/metrics.ts";

export interface Watched {
  readonly pid: number;
  readonly httpPort: number;
  readonly dataDirectory: string;
}

/** Values by the names of `series`, in its units. */
export type Sample = Readonly<Record<SeriesName, number>>;

export type SeriesName =
  | "resident memory"
  | "of it for young objects"
  | "heap in use"
  | "external memory"
  | "array buffers"
  | "descriptors: sockets"
  | "descriptors: files"
  | "descriptors: others"
  | "timers"
  | "other active resources"
  | "threads"
  | "connections"
  | "groups"
  | "files in the data directory"
  | "size of the data directory"
  | "size of the metadata";

interface Series {
  readonly unit: string;
  /** What an hour may add, where the series is to stay flat; undefined where it follows the load. */
  readonly allowedPerHour: number | undefined;
}

const mebibyte = 1024 * 1024;

export const series: Readonly<Record<SeriesName, Series>> = {
  "resident memory": { unit: "MiB", allowedPerHour: 5 },
  "of it for young objects": { unit: "MiB", allowedPerHour: undefined },
  "heap in use": { unit: "MiB", allowedPerHour: 2 },
  "external memory": { unit: "MiB", allowedPerHour: 5 },
  "array buffers": { unit: "MiB", allowedPerHour: 5 },
  "descriptors: sockets": { unit: "", allowedPerHour: 5 },
  "descriptors: files": { unit: "", allowedPerHour: 5 },
  "descriptors: others": { unit: "", allowedPerHour: 1 },
  timers: { unit: "", allowedPerHour: 5 },
  "other active resources": { unit: "", allowedPerHour: 5 },
  threads: { unit: "", allowedPerHour: 1 },
  connections: { unit: "", allowedPerHour: 5 },
  groups: { unit: "", allowedPerHour: 5 },
  "files in the data directory": { unit: "", allowedPerHour: 10 },
  "size of the data directory": { unit: "MiB", allowedPerHour: undefined },
  "size of the metadata": { unit: "MiB", allowedPerHour: 1 },
};

export const seriesNames = Object.keys(series) as readonly SeriesName[];

export async function takeSample(watched: Watched): Promise<Sample> {
  const metrics = await readMetrics(watched.httpPort);
  const one = (name: string): number => {
    const value = metrics.get(name);
    if (value === undefined) throw new Error(`no metric ${name}`);
    return value;
  };
  const { timers, others } = activeResources(metrics);
  const descriptors = descriptorsOf(watched.pid);
  const files = filesBelow(watched.dataDirectory);
  const metadata = filesBelow(join(watched.dataDirectory, "metadata"));
  return {
    "resident memory": one("process_resident_memory_bytes") / mebibyte,
    "of it for young objects": one("nodejs_heap_young_resident_bytes") / mebibyte,
    "heap in use": one("nodejs_heap_size_used_bytes") / mebibyte,
    "external memory": one("nodejs_external_memory_bytes") / mebibyte,
    "array buffers": one("nodejs_array_buffers_bytes") / mebibyte,
    "descriptors: sockets": descriptors.sockets,
    "descriptors: files": descriptors.files,
    "descriptors: others": descriptors.others,
    timers,
    "other active resources": others,
    threads: readdirSync(`/proc/${watched.pid}/task`).length,
    connections: one("millrace_connections"),
    groups: one("millrace_groups"),
    "files in the data directory": files.count,
    "size of the data directory": files.bytes / mebibyte,
    "size of the metadata": metadata.bytes / mebibyte,
  };
}

function activeResources(metrics: ReadonlyMap<string, number>) {
  const prefix = "nodejs_active_resources{";
  let timers = 0;
  let others = 0;
  for (const [name, value] of metrics) {
    if (!name.startsWith(prefix)) continue;
    if (name.includes('"Timeout"')) timers += value;
    else others += value;
  }
  return { timers, others };
}

function descriptorsOf(pid: number) {
  const directory = `/proc/${pid}/fd`;
  const count = { sockets: 0, files: 0, others: 0 };
  for (const name of readdirSync(directory)) {
    const target = orGone(() => readlinkSync(join(directory, name)));
    if (target?.startsWith("socket:")) count.sockets += 1;
    else if (target?.startsWith("/") && !target.startsWith("/dev/")) count.files += 1;
    else if (target !== undefined) count.others += 1;
  }
  return count;
}

/** Blocks that are reserved and not written count as what they take. */
export function filesBelow(directory: string): { readonly count: number; readonly bytes: number } {
  let count = 0;
  let bytes = 0;
  for (const entry of orGone(() => readdirSync(directory, { withFileTypes: true })) ?? []) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      const below = filesBelow(path);
      count += below.count;
      bytes += below.bytes;
    } else {
      count += 1;
      bytes += (orGone(() => lstatSync(path).blocks) ?? 0) * 512;
    }
  }
  return { count, bytes };
}

/** Names of a broker at work: what is there in one moment may be gone in the next. */
function orGone<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
