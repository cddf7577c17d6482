/** How many connections there may be: Kafka's names and meanings. */
export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
  /** By address; a name is not resolved. */
  readonly maxConnectionsPerIpOverrides: ReadonlyMap<string, number>;
}

export type Admission = "admitted" | "maxConnections" | "maxConnectionsPerIp";

/** Counts open connections, in all and by the peer's address. */
export class ConnectionCount {
  private open = 0;
  private readonly byAddress = new Map<string, number>();

  get size(): number {
    return this.open;
  }

  /** Limits are asked for each time, because they may change while the broker runs. */
  admit(address: string, limits: ConnectionLimits): Admission {
    const fromAddress = this.byAddress.get(address) ?? 0;
    const perIp = limits.maxConnectionsPerIpOverrides.get(address) ?? limits.maxConnectionsPerIp;
    if (this.open >= limits.maxConnections) return "maxConnections";
    if (fromAddress >= perIp) return "maxConnectionsPerIp";
    this.open += 1;
    this.byAddress.set(address, fromAddress + 1);
    return "admitted";
  }

  release(address: string): void {
    const left = (this.byAddress.get(address) ?? 0) - 1;
    this.open -= 1;
    if (left > 0) this.byAddress.set(address, left);
    else this.byAddress.delete(address);
  }
}
