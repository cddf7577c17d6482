/** What the tests of this folder share: a clock to wind by hand, a link with a peer to command. */
import type { Clock, Timer } from "@millrace/core";
import {
  ApiKey,
  apis,
  decodeResponseHeader,
  encodeRequestHeader,
  type ProduceResponseInput,
  Reader,
  type RequestByKey,
  type RequestInputByKey,
  type ResponseByKey,
  type ResponseInputByKey,
  requestEncoders,
  responseDecoders,
  responseHeaderVersion,
  Writer,
} from "@millrace/wire";
import { BufferPool } from "../buffer-pool.ts";
import type { Handler, RequestContext } from "../handlers/handler.ts";
import { outputWatermarkBytes } from "../limits.ts";
import { Metrics } from "../metrics/registry.ts";
import { defineRoute, Dispatcher, type Route } from "./dispatcher.ts";
import type { Link, LinkListener } from "./link.ts";
import type { ServerLog } from "./log.ts";
import { Server, type ServerSettings } from "./server.ts";

export class HandClock implements Clock {
  private nowMs = 0;
  private readonly timers = new Set<{ readonly atMs: number; readonly run: () => void }>();

  wallMs(): number {
    return this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, run };
    this.timers.add(timer);
    return { cancel: () => this.timers.delete(timer) };
  }

  advance(byMs: number): void {
    const untilMs = this.nowMs + byMs;
    for (;;) {
      const due = [...this.timers]
        .filter(({ atMs }) => atMs <= untilMs)
        .toSorted((left, right) => left.atMs - right.atMs)[0];
      if (due === undefined) break;
      this.timers.delete(due);
      this.nowMs = due.atMs;
      due.run();
    }
    this.nowMs = untilMs;
  }

  get pendingTimers(): number {
    return this.timers.size;
  }
}

/** A link whose peer reads when it is told to, and at once by default. */
export class HandLink implements Link {
  readonly received: Uint8Array[] = [];
  isPaused = false;
  closedBy: "written" | "now" | undefined;
  peerReads: "always" | "never" = "always";
  listener: LinkListener | undefined;
  unsentBytesMost = 0;
  private unsent: Uint8Array[] = [];
  private sentListeners: (() => void)[] = [];
  private isGone = false;
  private isFull = false;

  write(parts: readonly Uint8Array[], sent?: () => void): "ok" | "full" {
    if (this.closedBy !== undefined) return "ok";
    this.unsent.push(...parts);
    if (sent !== undefined) this.sentListeners.push(sent);
    this.unsentBytesMost = Math.max(this.unsentBytesMost, this.unsentBytes());
    if (this.peerReads === "always") {
      this.send();
      return "ok";
    }
    this.isFull = this.unsentBytes() > outputWatermarkBytes;
    return this.isFull ? "full" : "ok";
  }

  unsentBytes(): number {
    return this.unsent.reduce((sum, part) => sum + part.length, 0);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(when: "written" | "now"): void {
    this.closedBy = when;
    if (when === "now" || this.unsent.length === 0) queueMicrotask(() => this.cut(undefined));
  }

  /** The peer takes everything. */
  drain(): void {
    this.send();
    if (this.closedBy === "written") this.cut(undefined);
    else if (this.isFull) this.listener?.drained();
    this.isFull = false;
  }

  /** The peer takes the first part that was written, and then nothing more. */
  drainOnePart(): void {
    this.received.push(...this.unsent.splice(0, 1));
  }

  cut(error: Error | undefined): void {
    if (this.isGone) return;
    this.isGone = true;
    this.listener?.closed(error);
  }

  private send(): void {
    this.received.push(...this.unsent);
    this.unsent = [];
    for (const sent of this.sentListeners.splice(0)) sent();
  }
}

export class LineLog implements ServerLog {
  readonly lines: { readonly level: string; readonly fields: object; readonly message: string }[] =
    [];

  info(fields: object, message: string): void {
    this.lines.push({ level: "info", fields, message });
  }

  warn(fields: object, message: string): void {
    this.lines.push({ level: "warn", fields, message });
  }

  error(fields: object, message: string): void {
    this.lines.push({ level: "error", fields, message });
  }
}

export const roomySettings: ServerSettings = {
  socketRequestMaxBytes: 1_000_000,
  connectionsMaxIdleMs: 600_000,
  queuedMaxRequestBytes: 64_000_000,
  maxConnections: 1_000,
  maxConnectionsPerIp: 1_000,
  maxConnectionsPerIpOverrides: new Map(),
};

export interface Bench {
  readonly server: Server;
  readonly clock: HandClock;
  readonly log: LineLog;
  readonly metrics: Metrics;
  connect(): HandLink;
  /** A link that is not connected yet. */
  link(): HandLink;
  /** The value of one line of the metrics; 0 when it is not there. */
  metric(line: string): number;
}

export function bench(routes: readonly Route[], settings: Partial<ServerSettings> = {}): Bench {
  const clock = new HandClock();
  const log = new LineLog();
  const metrics = new Metrics();
  const server = new Server({
    dispatcher: new Dispatcher(routes),
    clock,
    log,
    metrics,
    buffers: new BufferPool(),
    settings: { ...roomySettings, ...settings },
  });
  return {
    server,
    clock,
    log,
    metrics,
    link: () => new HandLink(),
    connect: () => {
      const link = new HandLink();
      const listener = { name: "PLAINTEXT", host: "localhost", port: 9092 };
      link.listener = server.connect({ link, clientHost: "10.0.0.1", listener });
      return link;
    },
    metric: (line) => metricValue(metrics, line),
  };
}

export function metricValue(metrics: Metrics, line: string): number {
  const lines = metrics.exposition().split("\n");
  const found = lines.find((candidate) => candidate.startsWith(`${line} `));
  return found === undefined ? 0 : Number(found.slice(line.length + 1));
}

/** A frame with its length, as a client sends it. */
export function request<Key extends ApiKey>(
  apiKey: Key,
  body: RequestInputByKey[Key],
  header: { readonly version?: number; readonly correlationId?: number } = {},
): Uint8Array {
  const version = header.version ?? apis[apiKey].latestStableVersion;
  const writer = new Writer("frame");
  encodeRequestHeader(writer, {
    requestApiKey: apiKey,
    requestApiVersion: version,
    correlationId: header.correlationId ?? 0,
    clientId: "a client",
  });
  requestEncoders[apiKey](writer, version, body);
  return writer.finishBytes();
}

export function produceRequest(
  correlationId: number,
  options: { readonly acks?: number; readonly recordBytes?: number } = {},
): Uint8Array {
  const records = new Uint8Array(options.recordBytes ?? 10);
  const body = {
    acks: options.acks ?? -1,
    timeoutMs: 1000,
    topicData: [{ name: "t", partitionData: [{ index: 0, records }] }],
  };
  return request(ApiKey.Produce, body, { version: 9, correlationId });
}

export const emptyProduceReply: ProduceResponseInput = { responses: [] };

export function metadataRequest(correlationId: number): Uint8Array {
  return request(ApiKey.Metadata, { topics: null }, { correlationId });
}

/** The frames in what a peer received, without their lengths; a cut one at the end is an error. */
export function frames(received: readonly Uint8Array[]): Uint8Array[] {
  const all = concatenate(received);
  const view = new DataView(all.buffer);
  const found: Uint8Array[] = [];
  let at = 0;
  while (at < all.length) {
    const end = at + 4 + view.getInt32(at);
    if (end > all.length) throw new Error("a frame is cut off");
    found.push(all.subarray(at + 4, end));
    at = end;
  }
  return found;
}

export function correlationIds(received: readonly Uint8Array[]): number[] {
  return frames(received).map((frame) => new Reader(frame).int32());
}

export function decodeReply<Key extends ApiKey>(
  apiKey: Key,
  version: number,
  frame: Uint8Array,
): ResponseByKey[Key] {
  const reader = new Reader(frame);
  decodeResponseHeader(reader, responseHeaderVersion(apis[apiKey], version));
  const reply = responseDecoders[apiKey](reader, version);
  reader.expectEnd();
  return reply;
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A route whose handler answers as told. */
export function route<Key extends ApiKey>(
  apiKey: Key,
  handle: (
    request: RequestByKey[Key],
    context: RequestContext,
  ) => ResponseInputByKey[Key] | undefined | Promise<ResponseInputByKey[Key] | undefined>,
): Route {
  const { minVersion, latestStableVersion } = apis[apiKey];
  const handler: Handler<RequestByKey[Key], ResponseInputByKey[Key]> = {
    apiKey,
    versions: { min: minVersion, max: latestStableVersion },
    handle,
  };
  return defineRoute(apiKey, handler);
}

/** Handlers that are answered by hand, in any order. */
export class Pending<Response> {
  readonly calls: {
    readonly answer: (response: Response | undefined) => void;
    readonly fail: (error: unknown) => void;
  }[] = [];

  readonly handle = (): Promise<Response | undefined> =>
    new Promise((answer, fail) => {
      this.calls.push({ answer, fail });
    });
}

/** Lets all that is ready happen. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
