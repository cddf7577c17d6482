import type { ObservedBroker } from "@millrace/core";
import { expect, it } from "vitest";
import { record } from "../fixtures.ts";
import { nextStep } from "./next-step.ts";

const spec = { brokers: 3, brokerSize: { cpu: 256, memoryMiB: 512 }, limits: {} };

function nextOf(brokers: readonly ObservedBroker[]): ReturnType<typeof nextStep> {
  const facts = { caCertificate: "", notAfterMs: 0, revision: 1, names: ["b.test"] };
  const names = [1, 2, 3].map((broker) => ({ broker, host: "b.test", port: broker }));
  const parts = { store: "ready", secrets: ["authority", "broker"], names, brokers } as const;
  const cluster = record({ spec, revision: 3, certificate: facts });
  const target = { spec, revision: 3, certificate: "kept" } as const;
  return nextStep({ kind: "updateCluster", target }, { cluster, parts, objects: "unknown" });
}

it("of brokers to be replaced the one that serves nobody is first", () => {
  const next = nextOf([
    { broker: 1, revision: 2, state: "ready" },
    { broker: 2, revision: 2, state: "failed" },
    { broker: 3, revision: 1, state: "ready" },
  ]);
  const ensured = { does: "ensureBroker", spec: { broker: 2, revision: 3 } };
  expect(next).toMatchObject({ kind: "perform", step: "brokers", actions: [ensured] });
});

it("none is replaced before the one that was replaced last is ready", () => {
  const next = nextOf([
    { broker: 1, revision: 3, state: "starting" },
    { broker: 2, revision: 2, state: "ready" },
    { broker: 3, revision: 2, state: "ready" },
  ]);
  expect(next).toMatchObject({ kind: "wait", detail: "broker 1 is starting" });
});
