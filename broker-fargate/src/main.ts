/**
 * The broker process: reads its options, opens what it stands on (`open-node.ts`) and the broker,
 * listens, says so in one screen, and ends cleanly on SIGTERM. The only file that exits.
 */
import { readFileSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { TlsOptions } from "node:tls";
import { setFlagsFromString } from "node:v8";
import { lockDirectory, readProcessUsage, watchTurns } from "@millrace/adapter-node";
import { parseSettings, type Settings } from "@millrace/core";
import { type Logger, pino } from "pino";
import manifest from "../package.json" with { type: "json" };
import type { ControlFetch } from "./http/app.ts";
import { lazyControl, type Serving } from "./http/lazy-control.ts";
import { type HttpListener, serveHttp } from "./http/serve.ts";
import { whenServed } from "./http/served.ts";
import { shutdownGraceMsMax } from "./limits.ts";
import { failureText } from "./failure-text.ts";
import { type ListenerAddresses, listenerAddresses } from "./listener-address.ts";
import { logSignals } from "./metrics/signal-log.ts";
import { observeTurns } from "./metrics/event-loop-watch.ts";
import { observeProcess } from "./metrics/process-usage.ts";
import { type Life, Lives, observeLives } from "./lives.ts";
import { type Configuration, openBroker } from "./open-broker.ts";
import { type Node, openNode } from "./open-node.ts";
import { type Options, readOptions, UsageError, usage } from "./options.ts";
import { advertisedOf, openListeners } from "./server/listeners.ts";
import { readTls } from "./server/tls.ts";
import { TlsFault } from "./server/tls-fault.ts";
import { logToStandardError } from "./standard-streams.ts";
import { startScreen } from "./start-screen.ts";

const exitFailure = 1;
const exitUsage = 2;
const starting: readonly string[] = ["the broker is starting"];
const httpOpensWithinMs = 300;
/** What HTTP stands on takes milliseconds to load: who waits for Kafka's port goes first. */
const httpAfterMs = 10;

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
  const streams = [process.stdout, process.stderr];
  const level = process.env["MILLRACE_LOG_LEVEL"] ?? "warn";
  const log = pino({ level }, logToStandardError(streams));
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
  const lives = new Lives(live, { clock: node.clock, log });
  lives.onFailed = (error) => fail(failureText(error), exitFailure);
  const life = await lives.begin();
  Object.assign(serving, { life, store: node.store });
  lives.onNext = (next) => {
    serving.life = next;
  };
  const { clock } = life.opened.broker;
  const endSignals = logSignals({ ...{ clock, log, serving }, settings });
  setFlagsFromString("--regexp-optimization");
  const readyMs = performance.now();
  const openingHttp = wait(httpAfterMs).then(openHttpNow);
  const close = async (): Promise<void> => {
    readiness.reasons = ["the broker is shutting down"];
    endSignals();
    await lives.end();
    await node.close();
    await (await openingHttp)?.close();
    await lock.release();
  };
  closeOnSignals(close, log);
  const { membership } = life.opened.broker.cluster;
  const ready = (): void => {
    if (readiness.reasons === starting) readiness.reasons = [];
  };
  if (membership === undefined) ready();
  else void whenServed(membership, clock).then(ready);
  const http = await openingHttp;
  process.stdout.write(
    startScreen({
      version: manifest.version,
      addresses: life.listeners.map(({ advertised }) => `${advertised.host}:${advertised.port}`),
      httpAddress: http === undefined ? undefined : `${host ?? "localhost"}:${http.port}`,
      dataDirectory,
      durability: settings.durability,
      readyMs,
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
