/** What the numbers were measured on. */
import { cpus, release, totalmem } from "node:os";
import { runToEnd } from "../compat/processes.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly java: string;
}

export async function readMachine(): Promise<Machine> {
  // Java prints its version on the error stream.
  const java = await runToEnd({ file: "java", args: ["-version"], cwd: "/" }, 20_000);
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    java: /"([^"]+)"/.exec(java.stderr)?.[1] ?? "unknown",
  };
}
