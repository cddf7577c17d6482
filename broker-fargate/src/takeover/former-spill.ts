import { type Disk, DiskError, type DiskFile } from "@millrace/core";

/** Where something lies in the spill. */
export interface Spilled {
  readonly position: number;
  readonly bytes: number;
}

/**
 * A file of this life for what memory has no room for. It is written at its end, and emptied when
 * nothing in it is needed any more; nothing of it outlives the life. Throws DiskError.
 */
export class FormerSpill {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #path: string;
  #file: DiskFile | undefined;
  #end = 0;
  #kept = 0;
  #isClosed = false;

  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
    this.#path = `${folder}/entries`;
  }

  /** What is kept, in bytes. */
  get bytes(): number {
    return this.#kept;
  }

  /** In one write; each is to be dropped once. */
  keep(parts: readonly Uint8Array[]): readonly Spilled[] {
    this.#opened().write(this.#end, parts);
    return parts.map(({ length: bytes }) => {
      const position = this.#end;
      this.#end += bytes;
      this.#kept += bytes;
      return { position, bytes };
    });
  }

  read({ bytes, position }: Spilled): Uint8Array {
    const into = new Uint8Array(bytes);
    const found = this.#opened().read(position, into);
    if (found !== bytes) throw this.#failed(`${bytes - found} bytes are missing`);
    return into;
  }

  drop({ bytes }: Spilled): void {
    this.#kept -= bytes;
    if (this.#kept > 0 || this.#file === undefined) return;
    this.#end = 0;
    this.#file.resize(0);
  }

  /** Nothing of it is read any more. */
  close(): void {
    this.#isClosed = true;
    this.#file?.close();
    this.#file = undefined;
  }

  #opened(): DiskFile {
    if (this.#isClosed) throw this.#failed("it is closed");
    if (this.#file !== undefined) return this.#file;
    this.#disk.makeDirectory(this.#folder);
    this.#file = this.#disk.open(this.#path, { create: "ifAbsent" });
    if (this.#file === undefined) throw this.#failed("it could not be made");
    return this.#file;
  }

  #failed(message: string): DiskError {
    return new DiskError("io", { path: this.#path, applied: "no", cause: new Error(message) });
  }
}
