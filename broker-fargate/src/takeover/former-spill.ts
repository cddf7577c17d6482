import { type Disk, DiskError, type DiskFile } from "@millrace/core";

/** Where something lies in the spill. */
export interface Spilled {
  readonly file: SpillFile;
  readonly position: number;
  readonly bytes: number;
}

interface SpillFile {
  readonly path: string;
  readonly file: DiskFile;
  end: number;
  /** Of what lies in it, so much is not dropped yet. */
  kept: number;
}

export interface FormerSpillDeps {
  readonly disk: Disk;
  readonly folder: string;
  /** Once a file has so many bytes, what comes goes into another one. */
  readonly fileBytesMax: number;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * Files of this life for what memory has no room for. They are written at their ends, and each is
 * removed when nothing in it is needed any more: what is kept for long holds back the files that it
 * lies in, and none that come later. Nothing of it outlives the life.
 */
export class FormerSpill {
  readonly #deps: FormerSpillDeps;
  readonly #files = new Set<SpillFile>();
  /** The one that is written. */
  #last: SpillFile | undefined;
  #begun = 0;
  #bytes = 0;
  #isClosed = false;

  constructor(deps: FormerSpillDeps) {
    this.#deps = deps;
  }

  /** What is kept, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** In one write; each is to be dropped once. Throws DiskError. */
  keep(parts: readonly Uint8Array[]): readonly Spilled[] {
    const file = this.#writable();
    file.file.write(file.end, parts);
    return parts.map(({ length: bytes }) => {
      const position = file.end;
      file.end += bytes;
      file.kept += 1;
      this.#bytes += bytes;
      return { file, position, bytes };
    });
  }

  /** Throws DiskError. */
  read({ bytes, file, position }: Spilled): Uint8Array {
    if (this.#isClosed) throw failed(file.path, "it is closed");
    const into = new Uint8Array(bytes);
    const found = file.file.read(position, into);
    if (found !== bytes) throw failed(file.path, `${bytes - found} bytes are missing`);
    return into;
  }

  drop({ bytes, file }: Spilled): void {
    this.#bytes -= bytes;
    file.kept -= 1;
    if (file.kept > 0 || this.#isClosed) return;
    if (this.#last === file) this.#last = undefined;
    this.#files.delete(file);
    file.file.close();
    this.#remove(file.path);
  }

  /** Nothing of it is read any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { file } of this.#files) file.close();
    this.#remove(this.#deps.folder);
  }

  #writable(): SpillFile {
    const { disk, fileBytesMax, folder } = this.#deps;
    const path = `${folder}/entries-${this.#begun}`;
    if (this.#isClosed) throw failed(path, "it is closed");
    if (this.#last !== undefined && this.#last.end < fileBytesMax) return this.#last;
    disk.makeDirectory(folder);
    const file = disk.open(path, { create: "ifAbsent" });
    if (file === undefined) throw failed(path, "it could not be made");
    this.#begun += 1;
    this.#last = { path, file, end: 0, kept: 0 };
    this.#files.add(this.#last);
    return this.#last;
  }

  /** What is left takes room, and is never read: it goes with the life's folder. */
  #remove(path: string): void {
    try {
      this.#deps.disk.remove(path);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#deps.warn("what former owners' journals took of the disk could not be removed", error);
    }
  }
}

function failed(path: string, message: string): DiskError {
  return new DiskError("io", { path, applied: "no", cause: new Error(message) });
}
