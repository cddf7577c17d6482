/**
 * The broker process: reads its options, puts node's adapters behind the ports, listens, says so
 * in one screen, and ends cleanly on SIGTERM. The only file that exits, and the only one that
 * knows an adapter.
 */
import { appendFileSync, readFileSync, statfsSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { join, resolve } from "node:path";
import type { TlsOptions } from "node:tls";
import { setFlagsFromString } from "node:v8";
import { DynamoDbMetadataStore, S3ObjectStore } from "@millrace/adapter-aws";
import {
  crc32c,
  FileObjectStore,
  LmdbMetadataStore,
  loadCodecs,
  lockDirectory,
  NodeDisk,
  nodeHashing,
  readProcessUsage,
  SystemClock,
  SystemRandom,
  watchTurns,
  WorkerPool,
} from "@millrace/adapter-node";
import { HostedMetadataStore } from "@millrace/adapter-node/hosted-store";
import {
  type Clock,
  type MetadataStore,
  type MetadataStoreSettings,
  type ObjectStore,
  type ObjectStoreSettings,
  parseSettings,
  type Random,
  type Settings,
} from "@millrace/core";
import { destination, type Logger, pino } from "pino";
import manifest from "../package.json" with { type: "json" };
import { BufferPool } from "./buffer-pool.ts";
import type { ControlFetch } from "./http/app.ts";
import { lazyControl, type Serving } from "./http/lazy-control.ts";
import { type HttpListener, serveHttp } from "./http/serve.ts";
import { shutdownGraceMsMax } from "./limits.ts";
import { failureText } from "./failure-text.ts";
import { LifeDisks } from "./life-disks.ts";
import { type ListenerAddresses, listenerAddresses } from "./listener-address.ts";
import { logSignals } from "./metrics/signal-log.ts";
import { observeTurns } from "./metrics/event-loop-watch.ts";
import { observeProcess } from "./metrics/process-usage.ts";
import { type Life, Lives, observeLives } from "./lives.ts";
import { type Configuration, openBroker, type Ports } from "./open-broker.ts";
import { sideWorkEntry } from "./side-work/entry.ts";
import { type Options, readOptions, UsageError, usage } from "./options.ts";
import { advertisedOf, openListeners } from "./server/listeners.ts";
import { readTls } from "./server/tls.ts";
import { TlsFault } from "./server/tls-fault.ts";
import { withSlowReads } from "./slow-reads.ts";
import { startScreen } from "./start-screen.ts";

const exitFailure = 1;
const exitUsage = 2;
const starting: readonly string[] = ["the broker is starting"];
const httpOpensWithinMs = 300;

void main();

/** In a function, because a bundle of CommonJS can't await at its top level. */
async function main(): Promise<void> {
  // One takes a millisecond. With helpers it waits for theirs, to whom a busy machine gives no core.
  setFlagsFromString("--no-parallel-scavenge");
  try {
    const options = readOptions({
      args: process.argv.slice(2),
      environment: process.env,
      readFile: (path) => readFileSync(path, "utf8"),
    });
    if (options === "help") process.stdout.write(`${usage}\n`);
    else await run(options);
  } catch (error) {
    if (error instanceof UsageError || error instanceof TlsFault) fail(error.message, exitUsage);
    else fail(failureText(error), exitFailure);
  }
}

async function run(options: Options): Promise<void> {
  const log = pino(
    { level: process.env["MILLRACE_LOG_LEVEL"] ?? "warn" },
    destination({ dest: 2, sync: true }),
  );
  const configuration = readConfiguration(options, log);
  const { settings } = configuration;
  const addresses = listenerAddresses(settings);
  if (addresses.kind === "invalid") throw new UsageError(addresses.message);
  const tls = await tlsOf(settings);
  const dataDirectory = resolve(options.dataDirectory);
  const lock = await lockDirectory(dataDirectory);
  if (lock.kind === "held") throw new UsageError(`${dataDirectory} is in use by another broker`);
  const readiness = { reasons: starting };
  const host = addresses.bind[0]?.host;
  const serving: Serving = {};
  const openHttpNow =
    options.http === "on"
      ? opensWithin(httpOpensWithinMs, () => {
          const control = lazyControl({ serving, configuration, tls, log });
          return openHttp({ settings, host, readiness, log, serving, control });
        })
      : () => Promise.resolve(undefined);
  const node = await openNode({ dataDirectory, options, configuration, log });
  const live = (lives: Lives): Promise<Life> => {
    return beginLife({ node, configuration, addresses, tls, log, readiness, lives });
  };
  const lives = new Lives(live, log);
  lives.onFailed = (error) => fail(failureText(error), exitFailure);
  const life = await lives.begin();
  Object.assign(serving, { life, store: node.store });
  lives.onNext = (next) => {
    serving.life = next;
  };
  const { clock } = life.opened.broker;
  const endSignals = logSignals({ ...{ clock, log, serving }, settings });
  const http = await openHttpNow();
  setFlagsFromString("--regexp-optimization");
  const close = async (): Promise<void> => {
    readiness.reasons = ["the broker is shutting down"];
    endSignals();
    await lives.end();
    await node.close();
    await http?.close();
    await lock.release();
  };
  closeOnSignals(close, log);
  if (readiness.reasons === starting) readiness.reasons = [];
  process.stdout.write(
    startScreen({
      version: manifest.version,
      addresses: life.listeners.map(({ advertised }) => `${advertised.host}:${advertised.port}`),
      httpAddress: http === undefined ? undefined : `${host ?? "localhost"}:${http.port}`,
      dataDirectory,
      durability: settings.durability,
      readyMs: performance.now(),
    }),
  );
  // Kept now and not at the exit: who is killed leaves its compiled code for the next start, too, and
  // what is kept is what a start needs.
  flushCompileCache();
}

/** By listener. Node's own TLS is loaded only where one encrypts. */
async function tlsOf({
  security,
}: Pick<Settings, "security">): Promise<ReadonlyMap<string, TlsOptions>> {
  if (security.every(({ tls }) => tls === undefined)) return new Map();
  const { createSecureContext } = await import("node:tls");
  return readTls(security, { readFile: readFileSync, createSecureContext });
}

/** One life of the broker: what ends when another process has ended its incarnation. */
async function beginLife(at: {
  readonly node: Node;
  readonly configuration: Configuration;
  readonly addresses: ListenerAddresses;
  readonly tls: ReadonlyMap<string, TlsOptions>;
  readonly log: Logger;
  readonly readiness: { reasons: readonly string[] };
  readonly lives: Lives;
}): Promise<Life> {
  const { addresses, configuration, lives, log, node, readiness } = at;
  const { settings } = configuration;
  let isOver = false;
  const onFailed = (): void => {
    // What is left of it may fail, without its disk.
    if (isOver) return;
    readiness.reasons = ["a sync of the disk failed: appends are refused until a restart"];
  };
  const number = lives.count;
  const ports = { ...node.ports(number), onFailed };
  const member = {
    listeners: addresses.bind.map((address) => advertisedOf(address, addresses.advertised)),
    onOver: (cause: unknown) => lives.over(number, cause),
    ...(lives.former === undefined ? {} : { former: lives.former }),
  };
  const isMember = settings.metadataStore !== undefined;
  const opened = await openBroker(isMember ? { ...ports, asMember: member } : ports, configuration);
  const { metrics } = opened.broker;
  // To bind, Node holds the host against a regular expression: it takes V8 4 ms to make machine code
  // of it, and nothing to interpret it once.
  setFlagsFromString("--no-regexp-optimization");
  const { listeners, server } = await openListeners(opened, { addresses, log, tls: at.tls });
  observeProcess(metrics, readProcessUsage);
  observeLives(metrics, lives);
  const turns = observeTurns(metrics);
  const stopWatching = watchTurns((busyMs) => turns.observe(busyMs / 1000));
  const stop = async (graceMs: number): Promise<void> => {
    stopWatching();
    for (const listener of listeners) listener.stopAccepting();
    await server.close(graceMs);
  };
  return {
    ...{ opened, listeners, incarnation: opened.broker.cluster.incarnation },
    end: async () => {
      // A member's slots go to the others while it answers: clients are told who has them.
      if (isMember) await opened.leave();
      await stop(shutdownGraceMsMax);
      await opened.close();
      await node.lifeOver(number);
    },
    abandon: async () => {
      isOver = true;
      opened.abandon();
      await stop(0);
      // The next life does not wait for it.
      void node.lifeOver(number);
    },
  };
}

function readConfiguration(options: Options, log: Logger): Configuration {
  const { settings, known, unknown, ignored, invalid } = parseSettings(options.entries);
  if (invalid.length > 0) throw new UsageError(invalid.join("\n"));
  for (const key of unknown) log.warn({ key }, `unknown configuration key: ${key}`);
  for (const key of ignored) log.info({ key }, `this key of Kafka has no effect here: ${key}`);
  return { settings, known };
}

/** What this process has, whatever life of the broker it is in. */
interface Node {
  /** For the n-th life, from 1 on. */
  ports(life: number): Ports;
  /** What that life had on the disk goes, where it counts no more. Never rejects. */
  lifeOver(life: number): Promise<void>;
  readonly store: MetadataStore;
  close(): Promise<void>;
}

async function openNode(at: {
  readonly dataDirectory: string;
  readonly options: Options;
  readonly configuration: Configuration;
  readonly log: Logger;
}): Promise<Node> {
  const { dataDirectory, log } = at;
  const { metadataStore, objectStore } = at.configuration.settings;
  const { objectReadDelayMs: delayMs, syncLogPath } = at.options;
  const onSynced = (path: string, length: number): void => {
    if (syncLogPath !== undefined)
      appendFileSync(syncLogPath, `${JSON.stringify({ path, length })}\n`);
  };
  const { codecs } = loadCodecs({
    onSnappyFallback: (cause) =>
      log.info({ err: cause }, "snappy's native codec is absent; using our own"),
  });
  const clock = new SystemClock();
  const random = new SystemRandom();
  const { store, ...seeking } =
    metadataStore === undefined
      ? openOwnMetadata(join(dataDirectory, "metadata"))
      : { store: await openSharedMetadata(metadataStore, { clock, random }) };
  const space = (): { readonly totalBytes: number; readonly usableBytes: number } => {
    const { blocks, bsize, bavail } = statfsSync(dataDirectory);
    return { totalBytes: blocks * bsize, usableBytes: bavail * bsize };
  };
  const folder = { path: dataDirectory, space };
  const buffers = new BufferPool();
  const sideWork = new WorkerPool({
    entry: sideWorkEntry,
    onDeath: (error) => log.error({ err: error }, "a thread of side work died"),
  });
  const openedObjects =
    objectStore === undefined ? undefined : await openObjects(objectStore, { clock, random, log });
  const objects =
    openedObjects === undefined || delayMs === 0
      ? openedObjects
      : withSlowReads(openedObjects, clock, delayMs);
  const hashing = nodeHashing;
  const shared = { clock, random, hashing, store, codecs, crc32c, sideWork, folder, log, buffers };
  const own = { ...shared, ...seeking, ...(objects === undefined ? {} : { objects }) };
  const disks =
    metadataStore === undefined ? undefined : newLifeDisks(dataDirectory, { clock, log });
  await disks?.begin();
  return {
    store,
    ports: (life) => {
      if (disks !== undefined) return { ...own, disk: disks.open(life) };
      const disk = new NodeDisk(dataDirectory, syncLogPath === undefined ? {} : { onSynced });
      return { ...own, disk };
    },
    lifeOver: async (life) => disks?.end(life),
    close: async () => {
      await sideWork.close();
      await objects?.close();
      await store.close();
    },
  };
}

/** A member's disk is no more than a cache of one life. */
function newLifeDisks(
  dataDirectory: string,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): LifeDisks {
  return new LifeDisks({
    ...{ clock, disk: new NodeDisk(dataDirectory) },
    diskOf: (folder) => new NodeDisk(join(dataDirectory, folder), { syncs: "left" }),
    warn: (what, err) => log.warn({ err }, what),
  });
}

function openOwnMetadata(folder: string): Pick<Ports, "store" | "seeker"> {
  const store = LmdbMetadataStore.open(folder);
  return { store, seeker: store };
}

/** What shares a store with others is loaded only where it is used. */
async function openSharedMetadata(
  settings: MetadataStoreSettings,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<MetadataStore> {
  if (settings.kind === "hosted") {
    return new HostedMetadataStore({ socketPath: settings.socket, clock, random });
  }
  const { endpoint, region, table } = settings;
  return DynamoDbMetadataStore.open({
    ...{ clock, random, table },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
  });
}

/** What speaks S3 is loaded only where it is used: it takes long, and much memory. */
async function openObjects(
  settings: ObjectStoreSettings,
  { clock, log, random }: { readonly clock: Clock; readonly random: Random; readonly log: Logger },
): Promise<ObjectStore> {
  if (settings.kind === "files") {
    return FileObjectStore.open(settings.folder, { writer: sideWorkEntry });
  }
  const { addressing, bucket, endpoint, prefix, region } = settings;
  return S3ObjectStore.open({
    ...{ clock, random, addressing, bucket, prefix, crc32c },
    onLeftUpload: ({ cause, uploadId }) =>
      log.warn({ err: cause, uploadId }, "parts of an upload that failed are left in the bucket"),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
  });
}

/**
 * Opens when it is asked to, or by itself when that takes so long: whoever asks is then told that the
 * broker is not ready. Not at once, because the port is not what clients wait for.
 */
function opensWithin<Opened>(ms: number, open: () => Promise<Opened>): () => Promise<Opened> {
  let opening: Promise<Opened> | undefined;
  const openOnce = (): Promise<Opened> => (opening ??= open());
  const timer = setTimeout(() => {
    // What fails is told to who asks.
    openOnce().catch(() => undefined);
  }, ms);
  return () => {
    clearTimeout(timer);
    return openOnce();
  };
}

function openHttp(at: {
  readonly settings: Settings;
  readonly host: string | undefined;
  readonly readiness: { readonly reasons: readonly string[] };
  readonly log: Logger;
  readonly serving: Serving;
  readonly control: () => Promise<ControlFetch>;
}): Promise<HttpListener> {
  return serveHttp(
    { host: at.host, port: at.settings.httpPort },
    {
      control: at.control,
      notReady: () => at.readiness.reasons,
      metrics: () => at.serving.life?.opened.broker.metrics.exposition() ?? "",
      failed: (error) => at.log.error({ err: error }, "the HTTP port failed"),
    },
  );
}

function fail(message: string, exitCode: number): void {
  process.stderr.write(`millrace: ${message}\n`);
  process.exit(exitCode);
}

function closeOnSignals(close: () => Promise<void>, log: Logger): void {
  let closing = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (closing) return;
    closing = true;
    log.info({ signal }, "closing");
    close().then(
      () => process.exit(0),
      (error: unknown) => fail(failureText(error), exitFailure),
    );
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, onSignal);
}
