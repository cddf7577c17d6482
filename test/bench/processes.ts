/**
 * What the kernel says about a process group: everything that a broker started counts as the
 * broker.
 */
import { readdirSync, readFileSync } from "node:fs";

/** USER_HZ, which Linux fixes at 100 for what /proc reports on every architecture that Node has. */
const ticksPerSecond = 100;

interface ProcessStat {
  readonly group: number;
  readonly ticks: number;
}

/** undefined when the process ended in the meantime. proc_pid_stat(5) numbers the fields from 1. */
function readStat(pid: string): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
  // The name, in parentheses, may hold spaces; field 3 follows it.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  return { group: field(5), ticks: field(14) + field(15) };
}

function pidsOf(group: number): readonly string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const members = pids.filter((pid) => readStat(pid)?.group === group);
  if (members.length === 0) throw new Error(`no process is left of ${group}`);
  return members;
}

/** User and system time of all threads, in seconds, with the kernel's resolution of 10 ms. */
export function cpuSeconds(group: number): number {
  const ticks = pidsOf(group).reduce((sum, pid) => sum + (readStat(pid)?.ticks ?? 0), 0);
  return ticks / ticksPerSecond;
}

export interface ResidentMemory {
  readonly bytes: number;
  /** Since the process began. */
  readonly peakBytes: number;
}

export function residentMemory(group: number): ResidentMemory {
  let bytes = 0;
  let peakBytes = 0;
  for (const pid of pidsOf(group)) {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const kilobytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0);
    bytes += kilobytes("VmRSS") * 1024;
    peakBytes += kilobytes("VmHWM") * 1024;
  }
  return { bytes, peakBytes };
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
