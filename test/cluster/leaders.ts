/**
 * What a raw client knows of a topic's leaders: by Metadata, and by the hints of refused produces
 * (KIP-951). What has an older epoch than what is known tells nothing.
 */
import type { MetadataResponse, ProduceResponse } from "@millrace/wire";

export interface KnownLeader {
  readonly broker: number;
  readonly epoch: number;
}

const noError = 0;

export class Leaders {
  readonly #leaders = new Map<number, KnownLeader>();
  readonly #ports = new Map<number, number>();

  constructor(bootstrapPorts: readonly number[]) {
    // Under ids that no broker has, until Metadata names them.
    for (const port of bootstrapPorts) this.#ports.set(-port, port);
  }

  of(partition: number): KnownLeader | undefined {
    return this.#leaders.get(partition);
  }

  portOf(broker: number): number | undefined {
    return this.#ports.get(broker);
  }

  /** Of all brokers that were ever heard of. */
  get ports(): readonly number[] {
    return [...new Set(this.#ports.values())];
  }

  learnMetadata(response: MetadataResponse): void {
    for (const { nodeId, port } of response.brokers) this.#ports.set(nodeId, port);
    for (const { errorCode, partitions } of response.topics) {
      if (errorCode !== noError) continue;
      for (const one of partitions) {
        if (one.errorCode !== noError) continue;
        this.#learn(one.partitionIndex, { broker: one.leaderId, epoch: one.leaderEpoch });
      }
    }
  }

  /** Whether the refusal of this partition names a leader that was not known. */
  learnHint(
    partition: number,
    current: { readonly leaderId: number; readonly leaderEpoch: number },
    endpoints: ProduceResponse["nodeEndpoints"],
  ): boolean {
    for (const { nodeId, port } of endpoints) this.#ports.set(nodeId, port);
    if (current.leaderId < 0) return false;
    return this.#learn(partition, { broker: current.leaderId, epoch: current.leaderEpoch });
  }

  #learn(partition: number, leader: KnownLeader): boolean {
    const known = this.#leaders.get(partition);
    if (leader.broker < 0 || (known !== undefined && known.epoch >= leader.epoch)) return false;
    this.#leaders.set(partition, leader);
    return true;
  }
}
