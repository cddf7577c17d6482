import { MemoryMetadataStore, MemoryObjectStore } from "@millrace/adapter-memory";
import { FaultTable } from "./fault-table.ts";
import type { Anomaly } from "./history.ts";
import { NamedSteps } from "./named-steps.ts";
import type { StepNames } from "./step-names.ts";

/** What lies outside of every broker and outlives it, and what is told of all of them together. */
export interface Outside {
  /** What is really in the stores. */
  readonly memoryStore: MemoryMetadataStore;
  readonly memoryObjects: MemoryObjectStore;
  readonly named: StepNames;
  readonly table: FaultTable;
  readonly anomalies: Anomaly[];
}

/** Of a broker that is alone. */
export function newOutside(): Outside {
  const [memoryStore, memoryObjects] = [new MemoryMetadataStore(), new MemoryObjectStore()];
  const [named, table] = [new NamedSteps(), new FaultTable()];
  return { memoryStore, memoryObjects, named, table, anomalies: [] };
}
