import {
  type BrokerId,
  brokerId,
  epoch,
  incarnationId,
  type Slot,
  type SlotLeader,
} from "@millrace/core";
import type { BrokerEndpoint, ClusterView } from "../cluster/cluster-view.ts";

const ids: readonly BrokerId[] = [brokerId(1), brokerId(2), brokerId(3)];

/** For tests: the view of broker 1 among three, who leads everything until a test says otherwise. */
export class ThreeBrokers implements ClusterView {
  readonly brokerId: BrokerId = brokerId(1);
  controllerId: BrokerId = brokerId(3);
  viewVersion = 1;
  hasEvidence = true;
  live: readonly BrokerId[] = ids;
  /** What a strong read of a slot's head says, or how it fails. */
  readHead: (slot: Slot) => Promise<boolean> = () => Promise.resolve(true);
  /** The slots whose heads were read. */
  readonly headsRead: Slot[] = [];
  readonly #own: SlotLeader;
  readonly #leaders = new Map<Slot, SlotLeader | undefined>();
  readonly #listeners = new Set<() => void>();

  constructor(self: Omit<SlotLeader, "brokerId">) {
    const { epoch: ownEpoch, incarnation } = self;
    this.#own = { brokerId: this.brokerId, epoch: ownEpoch, incarnation };
  }

  get watchers(): number {
    return this.#listeners.size;
  }

  /** Gives the slot to another broker, or to nobody, and tells who listens. */
  lead(slot: Slot, id: 2 | 3 | "nobody"): void {
    const leader =
      id === "nobody"
        ? undefined
        : {
            brokerId: brokerId(id),
            incarnation: incarnationId(`000${id}-${"0".repeat(32)}`),
            epoch: epoch(70 + id),
          };
    this.#leaders.set(slot, leader);
    this.changed();
  }

  giveBack(slot: Slot): void {
    this.#leaders.delete(slot);
    this.changed();
  }

  changed(): void {
    this.viewVersion += 1;
    for (const listener of [...this.#listeners]) listener();
  }

  endpoints({ name, host, port }: Parameters<ClusterView["endpoints"]>[0]): BrokerEndpoint[] {
    return this.live.map((id) =>
      id === this.brokerId
        ? { brokerId: id, host, port, rack: undefined }
        : {
            brokerId: id,
            host: `${name.toLowerCase()}-${id}`,
            port: 9090 + id,
            rack: `zone-${id}`,
          },
    );
  }

  leaderOf(slot: Slot): SlotLeader | undefined {
    return this.#leaders.has(slot) ? this.#leaders.get(slot) : this.#own;
  }

  replicasOf(slot: Slot, factor: number): readonly BrokerId[] {
    const first = this.leaderOf(slot)?.brokerId;
    const others = this.live.filter((id) => id !== first);
    return [...(first === undefined ? [] : [first]), ...others].slice(0, factor);
  }

  leads(slot: Slot): boolean {
    return this.leaderOf(slot)?.brokerId === this.brokerId;
  }

  isStillOurs(slot: Slot): Promise<boolean> {
    this.headsRead.push(slot);
    return this.readHead(slot);
  }

  onViewChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
