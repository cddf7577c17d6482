import type { Clock, Settings } from "@millrace/core";
import type { AdvertisedListener } from "../handlers/handler.ts";
import {
  requestMemoryBytesDefault,
  smallRequestBytesMax,
  smallRequestReserveBytes,
} from "../limits.ts";
import type { Metrics } from "../metrics/registry.ts";
import type { CloseReason } from "./close-reason.ts";
import { ConnectionCount } from "./connection-limits.ts";
import { Connection, type ConnectionDeps } from "./connection.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { BufferPool } from "../buffer-pool.ts";
import type { Link, LinkListener } from "./link.ts";
import { limitedLog, type ServerLog } from "./log.ts";
import { OutputBacklog } from "./output-backlog.ts";
import { type Claimant, RequestMemory } from "./request-memory.ts";
import type { SaslSession } from "./sasl/sasl-session.ts";
import { type ServerMetrics, serverMetrics } from "./server-metrics.ts";

/** The settings that the server reads. */
export type ServerSettings = Pick<
  Settings,
  | "socketRequestMaxBytes"
  | "connectionsMaxIdleMs"
  | "queuedMaxRequestBytes"
  | "maxConnections"
  | "maxConnectionsPerIp"
  | "maxConnectionsPerIpOverrides"
>;

/**
 * All connections of one broker, over all its listeners, and what they share: the bounds of the
 * process, the log and the metrics. It knows nothing of sockets, so that a simulation can `connect`
 * links of its own.
 */
export class Server {
  readonly log: ServerLog;
  readonly metrics: ServerMetrics;
  readonly settings: ServerSettings;
  /** Of all listeners together, since the limits are the process's. */
  readonly count: ConnectionCount = new ConnectionCount();
  private readonly clock: Clock;
  private readonly deps: ConnectionDeps;
  private readonly connections = new Set<Connection>();
  private connectionsMade = 0;
  private idle: (() => void) | undefined;

  constructor(options: {
    readonly dispatcher: Dispatcher;
    readonly clock: Clock;
    readonly log: ServerLog;
    readonly metrics: Metrics;
    readonly settings: ServerSettings;
    readonly buffers: BufferPool;
  }) {
    const { clock, settings, dispatcher, buffers } = options;
    this.clock = clock;
    this.settings = settings;
    this.log = limitedLog(options.log, clock);
    this.metrics = serverMetrics(options.metrics, dispatcher.names());
    const memory = requestMemory(settings, clock, () => this.claimants());
    const backlog = new OutputBacklog(clock);
    this.deps = {
      dispatcher,
      clock,
      log: this.log,
      metrics: this.metrics,
      memory,
      backlog,
      buffers,
      frameBytesMax: settings.socketRequestMaxBytes,
      idleMsMax: idleMsMax(settings),
    };
    observeBounds(options.metrics, memory, backlog);
  }

  get size(): number {
    return this.connections.size;
  }

  /** Makes the connection of a link. The link's calls go to what this returns. */
  connect(peer: {
    readonly link: Link;
    readonly clientHost: string;
    readonly listener: AdvertisedListener;
    readonly principal?: string;
    readonly sasl?: SaslSession;
    readonly closed?: () => void;
  }): LinkListener {
    this.connectionsMade += 1;
    const id = `${peer.clientHost}#${this.connectionsMade}`;
    const connection = new Connection(this.deps, { id, ...peer });
    this.connections.add(connection);
    this.metrics.connectionsOpen.add(1);
    return {
      receive: (chunk) => connection.receive(chunk),
      inputEnded: () => connection.inputEnded(),
      drained: () => connection.drained(),
      closed: (error) => {
        connection.closed(error);
        if (!this.connections.delete(connection)) return;
        this.metrics.connectionsOpen.add(-1);
        peer.closed?.();
        if (this.connections.size === 0) this.idle?.();
      },
    };
  }

  /** Lets requests in flight end for `graceMs`, then cuts what is left. Resolves when none is. */
  async close(graceMs: number): Promise<void> {
    if (this.connections.size === 0) return;
    const allClosed = new Promise<void>((resolve) => {
      this.idle = resolve;
    });
    const timer = this.clock.after(graceMs, () => this.abortAll("shutdown"));
    for (const connection of this.connections) connection.shutdown();
    await allClosed;
    timer.cancel();
  }

  private *claimants(): Iterable<Claimant> {
    for (const connection of this.connections) yield connection.input;
  }

  private abortAll(reason: CloseReason): void {
    for (const connection of this.connections) connection.abort(reason);
  }
}

const reserve = { requestBytesMax: smallRequestBytesMax, bytes: smallRequestReserveBytes };

function requestMemory(
  settings: ServerSettings,
  clock: Clock,
  holders: () => Iterable<Claimant>,
): RequestMemory {
  const { queuedMaxRequestBytes, socketRequestMaxBytes } = settings;
  const limitBytes = queuedMaxRequestBytes < 0 ? requestMemoryBytesDefault : queuedMaxRequestBytes;
  return new RequestMemory({
    limitBytes,
    frameBytesMax: socketRequestMaxBytes,
    clock,
    holders,
    reserve,
  });
}

/** Below zero means never, as in Kafka. */
function idleMsMax(settings: ServerSettings): number {
  const { connectionsMaxIdleMs } = settings;
  return connectionsMaxIdleMs < 0 ? Number.POSITIVE_INFINITY : connectionsMaxIdleMs;
}

function observeBounds(metrics: Metrics, memory: RequestMemory, backlog: OutputBacklog): void {
  const gauge = (name: string, help: string, read: () => number): void =>
    metrics.observe({ kind: "gauge", name, help }, read);
  gauge(
    "millrace_request_memory_bytes",
    "Bytes held by requests that are not answered.",
    () => memory.usedBytes,
  );
  gauge(
    "millrace_request_memory_limit_bytes",
    "Bytes of requests above which no more are read.",
    () => memory.limitBytes,
  );
  gauge(
    "millrace_request_memory_waiting_connections",
    "Connections that are not read because memory for requests is short.",
    () => memory.waitingClaimants,
  );
  gauge(
    "millrace_unsent_reply_bytes",
    "Unsent bytes of connections whose clients read too slowly.",
    () => backlog.unsentBytes,
  );
}
