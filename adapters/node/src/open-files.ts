import { close, closeSync, openSync } from "node:fs";

/** A file that has a descriptor only while it is among the recently used. */
export interface OpenFile {
  readonly path: string;
  descriptor: number | undefined;
  /** Asynchronous calls under way: a descriptor must not be closed under them. */
  busy: number;
  closed: boolean;
}

/**
 * Keeps the number of descriptors bounded, however many files are in use: a log of a thousand
 * segments must not hold a thousand of them. Where the process has none left, because connections
 * took them, files give theirs up: a sync that fails for want of one would end a partition.
 */
export class OpenFiles {
  readonly #max: number;
  /** Those with a descriptor, the least recently used first. */
  readonly #open = new Set<OpenFile>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Descriptors held. */
  get count(): number {
    return this.#open.size;
  }

  /** Opens by the flags of fs.open; throws what that throws. */
  open(path: string, flags: number): OpenFile {
    this.#makeRoom();
    const descriptor = this.makeDo(() => openSync(path, flags, 0o644));
    const file = { path, descriptor, busy: 0, closed: false };
    this.#open.add(file);
    return file;
  }

  /** The file's descriptor, opened again by `flags` if it had to be closed. */
  use(file: OpenFile, flags: number): number {
    if (file.closed) throw new Error(`closed: ${file.path}`);
    if (file.descriptor === undefined) {
      this.#makeRoom();
      file.descriptor = this.makeDo(() => openSync(file.path, flags));
    } else if (this.#open.size === this.#max) {
      // Below the limit nothing will be closed, and order costs more than it is worth.
      this.#open.delete(file);
    }
    this.#open.add(file);
    return file.descriptor;
  }

  /** Runs what takes a descriptor, again without the least recently used file if there is none. */
  makeDo<Result>(run: () => Result): Result {
    for (;;) {
      try {
        return run();
      } catch (error) {
        if (!isOutOfDescriptors(error) || !this.#closeIdle()) throw error;
      }
    }
  }

  /** The same for what ends later. */
  async makeDoLater<Result>(run: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await run();
      } catch (error) {
        if (!isOutOfDescriptors(error) || !this.#closeIdle()) throw error;
      }
    }
  }

  /** Ends an asynchronous call; closes what was closed, or is too many, meanwhile. */
  release(file: OpenFile): void {
    file.busy -= 1;
    if (file.busy > 0) return;
    if (file.closed) this.#closeLater(file);
    else if (this.#open.size > this.#max) this.#closeNow(file);
  }

  close(file: OpenFile): void {
    if (file.closed) throw new Error(`closed: ${file.path}`);
    file.closed = true;
    if (file.busy === 0) this.#closeNow(file);
  }

  #makeRoom(): void {
    if (this.#open.size >= this.#max) this.#closeIdle();
  }

  /** Whether there was one that nobody is using. */
  #closeIdle(): boolean {
    for (const file of this.#open) {
      if (file.busy > 0) continue;
      this.#closeNow(file);
      return true;
    }
    return false;
  }

  /** The file may have been removed meanwhile: then this frees its blocks, which takes time. */
  #closeLater(file: OpenFile): void {
    this.#open.delete(file);
    const { descriptor } = file;
    file.descriptor = undefined;
    if (descriptor === undefined) return;
    close(descriptor, () => {
      // What was written is synced, or not wanted any more: a failed close takes nothing away.
    });
  }

  #closeNow(file: OpenFile): void {
    this.#open.delete(file);
    const { descriptor } = file;
    file.descriptor = undefined;
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Of the process (EMFILE) or of the system (ENFILE). */
function isOutOfDescriptors(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return error.code === "EMFILE" || error.code === "ENFILE";
}
