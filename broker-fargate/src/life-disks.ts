import { type Clock, type Disk, DiskError } from "@millrace/core";
import { lifeRemovalRetryMs } from "./limits.ts";

export interface LifeDisksDeps {
  readonly clock: Clock;
  /** Of the process: each life has a folder of it. */
  readonly disk: Disk;
  readonly diskOf: (folder: string) => Disk;
  readonly warn: (what: string, cause: unknown) => void;
}

const root = "cache";

/**
 * The disks of a process's lives in a cluster of several brokers, where a disk is no more than a
 * cache of one life (ownership rule 13): it goes when the life ends, or when the process starts
 * again after a death.
 */
export class LifeDisks {
  readonly #deps: LifeDisksDeps;

  constructor(deps: LifeDisksDeps) {
    this.#deps = deps;
  }

  /** What former processes left is removed. Rejects with DiskError. */
  async begin(): Promise<void> {
    await this.#deps.disk.removeFolder(root);
  }

  /** Lives are numbered from 1 on. Throws DiskError. */
  open(life: number): Disk {
    const { disk, diskOf } = this.#deps;
    const folder = folderOf(life);
    disk.makeDirectory(folder);
    return diskOf(folder);
  }

  /**
   * Nothing on the life's disk counts any more. Resolves when it is removed, or that is to be tried
   * again: what still goes on of the life may write there meanwhile.
   */
  async end(life: number): Promise<void> {
    const { clock, disk, warn } = this.#deps;
    try {
      await disk.removeFolder(folderOf(life));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      warn("the folder of a life that is over could not be removed yet", error);
      clock.after(lifeRemovalRetryMs, () => void this.end(life));
    }
  }
}

function folderOf(life: number): string {
  return `${root}/${life}`;
}
