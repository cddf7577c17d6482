import {
  FaultyMetadataStore,
  FaultyObjectStore,
  MemoryDisk,
  type MetadataFaultRates,
  type MemoryMetadataStore,
  type MemoryObjectStore,
  type ObjectFaultRates,
} from "@millrace/adapter-memory";
import type { Clock, SupportedVersions } from "@millrace/core";
import { type FaultTable, objectKind } from "./fault-table.ts";
import type { Anomaly } from "./history.ts";
import { newOutside, type Outside } from "./outside.ts";
import type { World } from "./world.ts";

/** How slow the disk is at the moment. */
export interface DiskWeather {
  syncMsMax: number;
}

/** A broker of a cluster: its stores are the others', too, and its disk ends with its process. */
export interface MemberHost {
  readonly brokerId: number;
  readonly outside: Outside;
}

export const calmObjects: ObjectFaultRates = { perThousand: {}, latencyMsMax: 2, slowMsMax: 300 };

/** What a broker runs on: its disk, its clock, and its ways to the stores. */
export class Machine {
  readonly world: World;
  /** `broker`, or the member's. */
  readonly name: string;
  readonly table: FaultTable;
  readonly anomalies: Anomaly[];
  disk: MemoryDisk;
  readonly diskWeather: DiskWeather = { syncMsMax: 2 };
  storeRates: MetadataFaultRates = { perThousand: {}, latencyMsMax: 1 };
  /** What is really in the stores, which outlive every life of the broker. */
  readonly memoryStore: MemoryMetadataStore;
  readonly memoryObjects: MemoryObjectStore;
  /** The way to the object store: what is under way on it outlives a life, too. */
  readonly objects: FaultyObjectStore;
  /** Levels of `millrace.version` that the next life supports; those of the present code if absent. */
  versions: SupportedVersions | undefined;
  /** Of the machine's wall clock, against the world's. */
  wallAheadMs = 0;
  protected readonly outside: Outside;
  protected readonly member: MemberHost | undefined;
  protected faultyStore: FaultyMetadataStore | undefined;

  constructor(options: { readonly world: World; readonly member?: MemberHost }) {
    const { member, world } = options;
    this.world = world;
    this.member = member;
    this.outside = member?.outside ?? newOutside();
    this.name = member === undefined ? "broker" : `broker-${member.brokerId}`;
    ({
      table: this.table,
      anomalies: this.anomalies,
      memoryStore: this.memoryStore,
      memoryObjects: this.memoryObjects,
    } = this.outside);
    this.objects = new FaultyObjectStore(this.memoryObjects, {
      ...{ clock: world.clock, random: world.random.fork(), rates: calmObjects },
      onFault: ({ fault, operation, key }) => {
        this.table.add(`object ${fault}`, `${operation} ${objectKind(key)}`);
      },
    });
    this.disk = this.newDisk();
    // A member's requests are under way outside of it, whatever becomes of it.
    if (member !== undefined) this.faultyStore = this.newStore(world.clock);
  }

  /** `node.id` of a member. */
  get brokerId(): number | undefined {
    return this.member?.brokerId;
  }

  setStoreRates(rates: MetadataFaultRates): void {
    this.storeRates = rates;
    if (this.faultyStore !== undefined) this.faultyStore.rates = rates;
  }

  /** Something that only the simulation can see, and that must never be. */
  note(what: string): void {
    this.world.trace.add(`anomaly: ${what}`);
    this.anomalies.push({ kind: "internal", what });
  }

  protected newDisk(): MemoryDisk {
    const { world } = this;
    return new MemoryDisk({
      wallMs: () => this.clock.wallMs(),
      schedule: (run) => {
        world.clock.after(world.random.below(this.diskWeather.syncMsMax + 1), run);
      },
    });
  }

  protected newStore(clock: Clock): FaultyMetadataStore {
    const { memoryStore, world } = this;
    return new FaultyMetadataStore(memoryStore, {
      ...{ clock, random: world.random.fork(), rates: this.storeRates },
      ...{ past: memoryStore, seeker: memoryStore },
    });
  }

  protected get clock(): Clock {
    const { clock } = this.world;
    return {
      wallMs: () => clock.wallMs() + this.wallAheadMs,
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs, run) => clock.after(delayMs, run),
    };
  }
}
