import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { DriverError, type Random } from "@millrace/core";
import { entriesOf, readText } from "./process-driver-folder.ts";

export interface PortRange {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** Below those that the kernel gives to whoever asks for any: nobody gets one of them by chance. */
export const defaultPorts: PortRange = { from: 20_000, to: 30_000 };

/**
 * Ports of one machine, each kept by a file until it is given back, also while nobody listens on it.
 * Two folders' ports may be the same ones, unless somebody listens there when they are taken.
 */
export class KeptPorts {
  readonly #folder: string;
  readonly #range: PortRange;
  readonly #random: Random;

  constructor(root: string, range: PortRange, random: Random) {
    this.#folder = join(root, "ports");
    this.#range = range;
    this.#random = random;
  }

  /** Throws DriverError. */
  async take(owner: string): Promise<number> {
    const { from, to } = this.#range;
    const count = to - from;
    const first = this.#random.below(count);
    mkdirSync(this.#folder, { recursive: true });
    for (let at = 0; at < count; at += 1) {
      const port = from + ((first + at) % count);
      if (!this.#keep(port, owner)) continue;
      if (await isFree(port)) return port;
      rmSync(this.#pathOf(port), { force: true });
    }
    const details = { retriable: false, applied: "no" } as const;
    throw new DriverError(`no port from ${from} to ${to} is free`, details);
  }

  /** All that the owner ever took. */
  giveBack(owner: string): void {
    for (const entry of entriesOf(this.#folder)) {
      const path = join(this.#folder, entry);
      if (readText(path) === owner) rmSync(path, { force: true });
    }
  }

  #pathOf(port: number): string {
    return join(this.#folder, String(port));
  }

  /** Whether it is this owner's from now on. */
  #keep(port: number, owner: string): boolean {
    try {
      writeFileSync(this.#pathOf(port), owner, { flag: "wx" });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    }
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
