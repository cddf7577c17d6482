import { readdirSync } from "node:fs";
import { getHeapSpaceStatistics } from "node:v8";

/** What the process uses now. */
export interface ProcessUsage {
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  /** Of it, resident and for young objects: V8 lets it grow up to a limit, and keeps it. */
  readonly youngResidentBytes: number;
  /** Outside the heap and held by objects in it; array buffers are part of it. */
  readonly externalBytes: number;
  readonly arrayBufferBytes: number;
  /** User and system time of all threads, in seconds. */
  readonly cpuSeconds: number;
  /** Undefined where the system does not say. */
  readonly openDescriptors: number | undefined;
  /** What keeps the event loop alive, by Node's names: Timeout, TCPSocketWrap, FSReqPromise … */
  readonly activeResources: ReadonlyMap<string, number>;
}

export function readProcessUsage(): ProcessUsage {
  const memory = process.memoryUsage();
  const cpu = process.cpuUsage();
  const activeResources = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    activeResources.set(kind, (activeResources.get(kind) ?? 0) + 1);
  }
  return {
    residentBytes: memory.rss,
    heapUsedBytes: memory.heapUsed,
    youngResidentBytes: youngResidentBytes(),
    externalBytes: memory.external,
    arrayBufferBytes: memory.arrayBuffers,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    openDescriptors: countDescriptors(),
    activeResources,
  };
}

function youngResidentBytes(): number {
  const young = getHeapSpaceStatistics().find((space) => space.space_name === "new_space");
  return young?.physical_space_size ?? 0;
}

function countDescriptors(): number | undefined {
  try {
    // The listing has one of its own open.
    return readdirSync("/proc/self/fd").length - 1;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
