import { DiskError, assert } from "@millrace/core";
import type { Disk, DiskFile } from "@millrace/core";

/**
 * Records that a journal has and a log can't take, because synced records below them are gone from
 * the disk: the file `{base offset, 20 digits}.unplaced` in the partition's folder, batch after
 * batch. As long as it is there the partition is offline: what is appended to a log with a hole
 * would hide that acknowledged records are missing. A person puts the lost files back, or deletes
 * the topic.
 *
 * Written anew by every replay, and durable before the journal is closed.
 */
export class UnplacedRecords {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #file: DiskFile;
  #bytes = 0;

  /** Throws DiskError. */
  constructor(disk: Disk, directory: string, baseOffset: number) {
    this.#disk = disk;
    this.#directory = directory;
    disk.makeDirectory(directory);
    const path = `${directory}/${String(baseOffset).padStart(20, "0")}${suffix}`;
    const file = disk.open(path, { create: "ifAbsent" });
    assert(file !== undefined, "a file that is made if absent is there");
    file.resize(0);
    this.#file = file;
  }

  append(records: Uint8Array): void {
    this.#file.write(this.#bytes, [records]);
    this.#bytes += records.length;
  }

  /** Resolves when all of it is durable, its name included. */
  async finish(): Promise<void> {
    await this.#file.sync();
    this.#file.close();
    await this.#disk.syncDirectory(this.#directory);
    const parent = this.#directory.lastIndexOf("/");
    await this.#disk.syncDirectory(this.#directory.slice(0, Math.max(0, parent)));
  }
}

const suffix = ".unplaced";

/** Throws a DiskError for a partition that is offline. `names`: the files in its folder. */
export function assertAllPlaced(directory: string, names: readonly string[]): void {
  const name = names.find((file) => file.endsWith(suffix));
  if (name === undefined) return;
  const offset = Number(name.slice(0, -suffix.length));
  const cause = new Error(`the partition is offline: synced records below ${offset} are gone`);
  throw new DiskError("io", { path: `${directory}/${name}`, applied: "no", cause });
}
