import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { observeLives } from "../../broker-fargate/src/lives.ts";
import { ClusterRig } from "../fixtures/cluster-rig.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/signals.md"), "utf8");
const [alarms = "", all = ""] = page.split("## All of them");

async function namesOfMember(): Promise<ReadonlySet<string>> {
  const rig = new ClusterRig();
  const [broker] = await rig.start(1);
  if (broker === undefined) throw new Error("nobody");
  const { metrics } = broker.broker.broker;
  observeLives(metrics, { count: 3 });
  const text = metrics.exposition();
  expect(text).toContain("\nmillrace_incarnations_fenced_total 2\n");
  return new Set([...text.matchAll(/^# HELP (\S+)/gmu)].map(([, name = ""]) => name));
}

it("lists every metric of a broker of a cluster", async () => {
  const names = await namesOfMember();
  expect(names.size).toBeGreaterThan(30);
  for (const name of names) expect(all).toContain(`\`${name}\``);
});

it("wakes nobody by a metric that there is not", async () => {
  const names = await namesOfMember();
  const told = [...alarms.matchAll(/`(millrace_[a-z_]+)/gu)].map(([, name = ""]) => name);
  const others = new Set(["millrace_event_loop_turn_seconds"]);
  expect(told.length).toBeGreaterThan(10);
  for (const name of told) expect([...names, ...others]).toContain(name);
});
