import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clusterId } from "@millrace/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { SystemClock } from "./clock.ts";
import { ProcessDriver } from "./process-driver.ts";
import { SystemRandom } from "./random.ts";

const cluster = clusterId("cl_0000000000000001");
const launch = { broker: [], host: [] };
let parent: string;
let driver: ProcessDriver;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "millrace-driver-"));
  const folder = join(parent, "clusters");
  driver = new ProcessDriver({
    folder,
    launch,
    clock: new SystemClock(),
    random: new SystemRandom(),
  });
});

afterEach(() => rmSync(parent, { recursive: true, force: true }));

const folderOf = (): string => join(parent, "clusters", cluster);

it("keeps what it has of a cluster from everybody else on the machine", async () => {
  await driver.putSecret(cluster, { name: "authority", value: "key", over: "nothing" });
  await driver.ensureName(cluster, 1);
  for (const path of [folderOf(), join(folderOf(), "secrets"), join(folderOf(), "names")]) {
    expect(statSync(path).mode & 0o077).toBe(0);
  }
  const key = join(folderOf(), "secrets", "authority.pem");
  expect(statSync(key).mode & 0o077).toBe(0);
});

it("leaves no key behind that somebody was killed while writing", async () => {
  await driver.putSecret(cluster, { name: "authority", value: "key", over: "nothing" });
  await driver.ensureName(cluster, 1);
  // As `writePrivate` of a process that died before it gave the file its name.
  for (const path of ["secrets/authority.pem", "secrets/broker.pem", "names/1.json"]) {
    writeFileSync(join(folderOf(), `${path}.4194304.new`), "key");
  }
  writeFileSync(join(folderOf(), "broker-1.r1.properties.4194304.new"), "");
  await driver.remove(cluster, { kind: "name", broker: 1 });
  await driver.remove(cluster, { kind: "secret", name: "authority" });
  await driver.remove(cluster, { kind: "secret", name: "broker" });
  expect(await driver.list()).toEqual([]);
  expect(existsSync(folderOf()) ? readdirSync(folderOf(), { recursive: true }) : []).toEqual([]);
});
