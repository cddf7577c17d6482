import { MemoryBrokerDriver } from "@millrace/adapter-memory";
import { brokerDriverContract } from "./broker-driver-contract.ts";

brokerDriverContract({
  name: "memory",
  open: async () => new MemoryBrokerDriver(),
  tasks: "run",
  cleanUp: async () => undefined,
});
