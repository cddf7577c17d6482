import { expect, it } from "vitest";
import { clusterScreen } from "./cluster-screen.ts";

const broker = { httpPort: undefined, pid: 100 };
const brokers = [
  { ...broker, broker: 1, port: 9092, state: "runs" },
  { ...broker, broker: 2, port: 9093, state: "ended: SIGKILL" },
];
const where = { directory: "/d", metadata: "unix:/d/metadata.sock", objects: "file:/d/objects" };
const host = { pid: 99, state: "runs" };

it("shows each broker with its slots, the controller and its state", () => {
  const slots = { slots: 8, led: new Map([[1, 8]]), controller: 1, moving: 3 };
  const lines = clusterScreen({ ...where, host, brokers, slots }).split("\n");
  expect(lines[0]).toBe("Millrace cluster of 2   3 slots are moving");
  expect(lines.slice(2, 5)).toEqual([
    "  broker  Kafka           pid  slots  controller  state",
    "  1       127.0.0.1:9092  100  8      yes         runs",
    "  2       127.0.0.1:9093  100  0                  ended: SIGKILL",
  ]);
  expect(lines[6]).toBe("  Metadata  unix:/d/metadata.sock   (pid 99, runs)");
});

it("says that the slots are not known while the metadata store is away", () => {
  const lines = clusterScreen({ ...where, host: undefined, brokers, slots: undefined }).split("\n");
  expect(lines[3]).toBe("  1       127.0.0.1:9092  100  ?                  runs");
  expect(lines[6]).toBe("  Metadata  unix:/d/metadata.sock");
});
