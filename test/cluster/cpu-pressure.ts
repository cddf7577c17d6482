import { existsSync, readFileSync } from "node:fs";

const path = "/proc/pressure/cpu";

/**
 * How much of the time something on this machine was ready to run and had no core (Linux: PSI,
 * proc(5)): what outages owe to the machine that they were measured on.
 */
export class CpuPressure {
  readonly #begunMs = performance.now();
  readonly #begunStalledUs = stalledUs();

  /** Since it was made; undefined where the kernel does not tell. */
  read(): string | undefined {
    const [before, now] = [this.#begunStalledUs, stalledUs()];
    if (before === undefined || now === undefined) return undefined;
    const share = (now - before) / 1000 / (performance.now() - this.#begunMs);
    return `In ${(share * 100).toFixed(0)} % of the time something waited for a core of this machine.`;
  }
}

/** The `total` of the line `some`. */
function stalledUs(): number | undefined {
  if (!existsSync(path)) return undefined;
  const total = /^some .*total=(\d+)/mu.exec(readFileSync(path, "utf8"))?.[1];
  return total === undefined ? undefined : Number(total);
}
