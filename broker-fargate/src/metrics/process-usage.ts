import type { Metrics, Sample } from "./registry.ts";

/** What the process uses, as its adapter reads it. */
interface Usage {
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  readonly youngResidentBytes: number;
  readonly externalBytes: number;
  readonly arrayBufferBytes: number;
  readonly cpuSeconds: number;
  /** Undefined where the system does not say. */
  readonly openDescriptors: number | undefined;
  readonly activeResources: ReadonlyMap<string, number>;
}

/**
 * The process's memory, CPU time, descriptors and active resources, read when somebody looks. The
 * names are those of Prometheus's client libraries, so that dashboards for any process show them.
 */
export function observeProcess(metrics: Metrics, read: () => Usage): void {
  const gauge = (name: string, help: string, value: (usage: Usage) => number): void =>
    metrics.observe({ kind: "gauge", name, help }, () => value(read()));
  gauge("process_resident_memory_bytes", "Resident memory.", (usage) => usage.residentBytes);
  gauge("nodejs_heap_size_used_bytes", "Heap in use.", (usage) => usage.heapUsedBytes);
  gauge(
    "nodejs_heap_young_resident_bytes",
    "Resident memory that V8 has for young objects and keeps.",
    (usage) => usage.youngResidentBytes,
  );
  gauge(
    "nodejs_external_memory_bytes",
    "Memory outside the heap that its objects hold, array buffers included.",
    (usage) => usage.externalBytes,
  );
  gauge("nodejs_array_buffers_bytes", "Memory of buffers.", (usage) => usage.arrayBufferBytes);
  metrics.observe(
    {
      kind: "counter",
      name: "process_cpu_seconds_total",
      help: "User and system time of all threads.",
    },
    () => read().cpuSeconds,
  );
  metrics.observe(
    { kind: "gauge", name: "process_open_fds", help: "Open descriptors." },
    (): readonly Sample[] => {
      const { openDescriptors } = read();
      return openDescriptors === undefined ? [] : [{ labels: {}, value: openDescriptors }];
    },
  );
  metrics.observe(
    {
      kind: "gauge",
      name: "nodejs_active_resources",
      help: "What keeps the event loop alive, by type: timers, sockets, requests to the system.",
    },
    () => [...read().activeResources].map(([type, value]) => ({ labels: { type }, value })),
  );
}
