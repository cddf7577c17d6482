import type { BrokerHost } from "./broker-host.ts";
import type { PartitionRef } from "./client.ts";
import type { Network } from "./network.ts";
import type { World } from "./world.ts";

export interface NemesisDeps {
  readonly world: World;
  readonly host: BrokerHost;
  readonly network: Network;
  /** The named steps that crashes come at. */
  readonly steps: readonly string[];
  /** Whether what the topics promise holds over a loss of power. */
  readonly mayLosePower: () => boolean;
  /** A step that it prefers to kill in; all alike if absent. */
  readonly killIn?: string;
  /** A named step that it prefers to crash before and after; all alike if absent. */
  readonly crashAt?: string;
  /** A fault that it prefers; all alike if absent. */
  readonly prefers?: Fault;
  /** Whether partitions' folders may go with the process, and what is promised of their records. */
  readonly logLoss: () => "never" | "local" | "journal";
  /** Partitions whose log goes into the object store. */
  readonly tiered: () => readonly PartitionRef[];
  /** The partition's folder is gone. */
  readonly onLost: (ref: PartitionRef) => void;
  /** Until when clients do nothing. */
  readonly restsUntilMs: () => number;
  /** Kills a client, and begins another in its place. */
  readonly crashClient: () => void;
}

/** What a fault works on. */
export interface FaultScene {
  readonly deps: NemesisDeps;
  /** No fault may begin any more. */
  readonly isOver: boolean;
  /** Kills now, or loses power where that is allowed. */
  kill(): void;
}

export type Fault = (scene: FaultScene) => void;
