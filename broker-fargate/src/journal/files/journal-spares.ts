import type { Disk, DiskError } from "@millrace/core";

interface SpareFile {
  readonly path: string;
  readonly bytes: number;
  /** Whether its new name is durable. Until then it must not be written. */
  isReady: boolean;
}

/**
 * Trimmed journal files, kept to be written again: their blocks are there, so that nothing has to
 * be reserved, and what was reserved has not to be given back.
 *
 * What a file held stays in it until it is written over. Those objects have lower seqs than any
 * that is written after them, so no reader takes them for the journal's. Under the name of its
 * former life, though, a file with new objects would be taken for one that lost its old ones: so it
 * is renamed to `.spare`, which no reader looks at, and is written only when that name is durable.
 */
export class SpareFiles {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #files: SpareFile[] = [];
  #failure: DiskError | undefined;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  get count(): number {
    return this.#files.length;
  }

  get bytes(): number {
    return this.#files.reduce((sum, file) => sum + file.bytes, 0);
  }

  /** Takes a file over. It can be taken again some time after `syncNames`. Throws DiskError. */
  add({ path, size }: { readonly path: string; readonly size: number }): void {
    const spare = path.replace(/\.journal$/u, ".spare");
    this.#disk.rename(path, spare);
    this.#files.push({ path: spare, bytes: size, isReady: false });
  }

  /** Makes the names of what was added durable, for all of them in one step. */
  syncNames(): void {
    const added = this.#files.filter(({ isReady }) => !isReady);
    if (added.length === 0) return;
    this.#disk.syncDirectory(this.#directory).then(
      () => {
        for (const file of added) file.isReady = true;
      },
      (error: DiskError) => {
        this.#failure = error;
      },
    );
  }

  /**
   * Gives a file the name `path`; its bytes, or undefined where there is none. Throws what kept
   * earlier ones from becoming spare: a folder that can't be synced is the journal's end.
   */
  take(path: string): number | undefined {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
    const index = this.#files.findIndex(({ isReady }) => isReady);
    const file = this.#files[index];
    if (file === undefined) return undefined;
    this.#disk.rename(file.path, path);
    this.#files.splice(index, 1);
    return file.bytes;
  }

  removeAll(): void {
    for (const { path } of this.#files.splice(0)) this.#disk.remove(path);
  }
}
