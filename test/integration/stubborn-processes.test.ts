/** The process driver with programs that do not do what brokers do. */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SystemClock, SystemRandom } from "@millrace/adapter-node";
import { ProcessDriver } from "@millrace/adapter-node/process-driver";
import { clusterId, DriverError } from "@millrace/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { brokerStopMsMax, readinessMsMax } from "../../adapters/node/src/limits.ts";

const cluster = clusterId("cl_0123456789abcdef");
const spec = { broker: 1, cpu: 256, memoryMiB: 512, configs: {}, revision: 1 };
const deaf = 'process.on("SIGTERM", () => undefined); setInterval(() => undefined, 1_000);';
/** Takes connections at the broker's HTTP port, and never says anything. */
const mute = `
  const { readFileSync } = require("node:fs");
  const properties = readFileSync(process.argv[process.argv.indexOf("--config") + 1], "utf8");
  const port = /millrace.http.port=(\\d+)/.exec(properties)[1];
  require("node:net").createServer(() => undefined).listen(Number(port), "127.0.0.1");`;
/** Takes connections at its socket. */
const host = `
  const path = process.argv[process.argv.indexOf("--socket") + 1];
  require("node:net").createServer(() => undefined).listen(path);`;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-sp-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function driverOf(programs: { readonly broker?: string; readonly host?: string }): ProcessDriver {
  const launch = (name: string, text: string): readonly string[] => {
    const path = join(folder, `${name}.cjs`);
    writeFileSync(path, text);
    return [path];
  };
  return new ProcessDriver({
    ...{ folder: join(folder, "clusters"), clock: new SystemClock(), random: new SystemRandom() },
    launch: {
      broker: launch("broker", programs.broker ?? deaf),
      host: launch("host", programs.host ?? host),
    },
  });
}

async function started(driver: ProcessDriver): Promise<void> {
  await driver.ensureName(cluster, 1);
  await driver.ensureBroker(cluster, spec);
}

async function gone(driver: ProcessDriver): Promise<void> {
  await expect
    .poll(
      async () => {
        await driver.remove(cluster, { kind: "broker", broker: 1 });
        return (await driver.observe(cluster)).brokers;
      },
      { timeout: 5_000 },
    )
    .toEqual([]);
}

it("a broker that does not end by SIGTERM is ended when it has had its time", async () => {
  const driver = driverOf({});
  await started(driver);
  // Until it is deaf.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await driver.remove(cluster, { kind: "broker", broker: 1 });
  await new Promise((resolve) => setTimeout(resolve, 300));
  await driver.remove(cluster, { kind: "broker", broker: 1 });
  expect((await driver.observe(cluster)).brokers).toMatchObject([{ state: "stopping" }]);
  // As if that had been long ago.
  const then = (Date.now() - brokerStopMsMax - 1_000) / 1_000;
  utimesSync(join(folder, "clusters", cluster, "broker-1.stopping"), then, then);
  await gone(driver);
});

it("a broker that does not say whether it is ready is starting, and nobody waits for it", async () => {
  const driver = driverOf({ broker: mute });
  await started(driver);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const sinceMs = performance.now();
  expect((await driver.observe(cluster)).brokers).toMatchObject([{ state: "starting" }]);
  expect(performance.now() - sinceMs).toBeLessThan(readinessMsMax + 2_000);
  await gone(driver);
});

it("a broker that ends at once has failed, with what it said", async () => {
  const driver = driverOf({ broker: 'console.error("no memory"); process.exit(3);' });
  await started(driver);
  await expect
    .poll(async () => (await driver.observe(cluster)).brokers)
    .toEqual([{ broker: 1, revision: 1, state: "failed", detail: "no memory" }]);
  await driver.remove(cluster, { kind: "broker", broker: 1 });
  expect((await driver.observe(cluster)).brokers).toEqual([]);
});

it("a host of metadata that does not end by SIGTERM is ended", async () => {
  const driver = driverOf({ host: `${host} ${deaf}` });
  await driver.ensureStore(cluster);
  await expect.poll(async () => (await driver.observe(cluster)).store).toBe("ready");
  await driver.remove(cluster, { kind: "store" });
  expect((await driver.observe(cluster)).store).toBe("absent");
  expect(await driver.list()).toEqual([]);
});

it("a folder that is too deep for a socket is refused, and not tried again", async () => {
  const deep = join(folder, "x".repeat(100));
  const driver = new ProcessDriver({
    ...{ folder: deep, clock: new SystemClock(), random: new SystemRandom() },
    launch: { broker: [], host: [] },
  });
  const failure: unknown = await driver.ensureStore(cluster).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(DriverError);
  expect(failure).toMatchObject({ retriable: false, applied: "no" });
});
