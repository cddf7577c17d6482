import { DiskError } from "../ports/disk.ts";
import type { LeaderEpochs } from "./leader-epochs.ts";
import type { LogFiles } from "./log-files.ts";
import type { Segment } from "./segment.ts";

/**
 * What a log has written and not synced, and up to where it is durable.
 *
 * One sync runs at a time, and one more may wait, which then covers everybody who asked meanwhile.
 * A sync that failed is final: what the kernel could not write it may have dropped, so that the
 * next sync would succeed and mean nothing. Only a disk too full for the file of leader epochs,
 * which is written anew before anything is synced, leaves all as it was, to be tried again.
 */
export class SyncTargets {
  readonly #files: LogFiles;
  readonly #unsynced: Set<Segment>;
  #recoveryPoint: number;
  #directoryChanged: boolean;
  #running: Promise<void> | undefined;
  #waiting: Promise<void> | undefined;
  /** The offset up to which the running sync makes the log durable. */
  #target = 0;
  #failure: DiskError | undefined;

  constructor(
    files: LogFiles,
    opened: {
      readonly recoveryPoint: number;
      readonly unsynced: readonly Segment[];
      readonly namesChanged: boolean;
    },
  ) {
    this.#files = files;
    this.#recoveryPoint = opened.recoveryPoint;
    this.#unsynced = new Set(opened.unsynced);
    this.#directoryChanged = opened.namesChanged || opened.unsynced.length > 0;
  }

  get recoveryPoint(): number {
    return this.#recoveryPoint;
  }

  get isDirty(): boolean {
    return this.#unsynced.size > 0 || this.#directoryChanged || this.#running !== undefined;
  }

  /** Throws the error of the sync that failed, if one has. */
  assertUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  wrote(segment: Segment): void {
    this.#unsynced.add(segment);
  }

  directoryChanged(): void {
    this.#directoryChanged = true;
  }

  removed(segment: Segment): void {
    this.#unsynced.delete(segment);
    this.#directoryChanged = true;
  }

  /** What a running sync covers past `endOffset` is gone, and other bytes may come there. */
  truncated(segments: readonly Segment[], endOffset: number): void {
    for (const segment of this.#unsynced) {
      if (!segments.includes(segment)) this.#unsynced.delete(segment);
    }
    const active = segments.at(-1);
    if (active !== undefined) this.#unsynced.add(active);
    this.#directoryChanged = true;
    this.#recoveryPoint = Math.min(this.#recoveryPoint, endOffset);
    this.#target = Math.min(this.#target, endOffset);
  }

  /** All up to here is durable elsewhere, and nothing of it lies here. */
  restarted(endOffset: number): void {
    this.#directoryChanged = true;
    this.#recoveryPoint = endOffset;
    this.#target = endOffset;
  }

  /** `endOffset` is asked for when the sync begins. */
  sync(endOffset: () => number, epochs: LeaderEpochs): Promise<void> {
    if (this.#waiting !== undefined) return this.#waiting;
    if (this.#running === undefined) return this.#begin(endOffset, epochs);
    const next = (): Promise<void> => {
      this.#waiting = undefined;
      return this.#begin(endOffset, epochs);
    };
    this.#waiting = this.#running.then(next, next);
    return this.#waiting;
  }

  /**
   * Makes durable what was written, and notes nothing of it: `recoveryPoint` stays, and the next sync
   * does all that it would have done. Before the first `sync`.
   */
  async syncRecords(): Promise<void> {
    try {
      await Promise.all([...this.#unsynced].map((segment) => segment.sync()));
      if (this.#directoryChanged) await this.#syncDirectories();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #begin(endOffset: () => number, epochs: LeaderEpochs): Promise<void> {
    this.#running = this.#run(endOffset(), epochs).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(endOffset: number, epochs: LeaderEpochs): Promise<void> {
    this.assertUsable();
    this.#target = endOffset;
    const epochsChanged = this.#unsynced.size > 0 && epochs.isDirty;
    if (epochsChanged) await this.#saveEpochs(epochs);
    const segments = [...this.#unsynced];
    const directoryChanged = this.#directoryChanged || epochsChanged;
    this.#unsynced.clear();
    this.#directoryChanged = false;
    try {
      await Promise.all(segments.map((segment) => segment.sync()));
      if (directoryChanged) await this.#syncDirectories();
    } catch (error) {
      throw this.#failed(error);
    }
    this.#recoveryPoint = Math.max(this.#recoveryPoint, this.#target);
  }

  async #saveEpochs(epochs: LeaderEpochs): Promise<void> {
    try {
      await epochs.save();
    } catch (error) {
      if (error instanceof DiskError && error.reason === "full") throw error;
      throw this.#failed(error);
    }
  }

  /** Remembers the failure; `full` would say of it that it may clear by itself. */
  #failed(cause: unknown): unknown {
    if (!(cause instanceof DiskError)) return cause;
    const { path } = cause;
    const isFull = cause.reason === "full";
    this.#failure = isFull ? new DiskError("io", { path, applied: "maybe", cause }) : cause;
    return this.#failure;
  }

  /** The partition's folder and the one that names it. */
  async #syncDirectories(): Promise<void> {
    const { disk, directory } = this.#files;
    await disk.syncDirectory(directory);
    const parent = directory.lastIndexOf("/");
    if (parent > 0) await disk.syncDirectory(directory.slice(0, parent));
  }
}
