import type { FaultyMetadataStore, MemoryDisk } from "@millrace/adapter-memory";
import {
  type Disk,
  DiskError,
  type DiskFile,
  type KeySeeker,
  MetadataError,
  type MetadataStore,
  type Write,
} from "@millrace/core";
import { type FaultTable, fileKind, keyKind, type Steps } from "./fault-table.ts";
import type { Life } from "./life.ts";
import { stepsOfCreation, stepsOfRemoval, stepsOfRename, stepsOfSync } from "./named-steps.ts";
import type { StepNames } from "./step-names.ts";
import type { TraceLines } from "./trace.ts";
import type { World } from "./world.ts";

/** What the ports of one life report to, and what fences them. */
export interface Watchers {
  readonly life: Life;
  readonly world: World;
  readonly trace: TraceLines;
  readonly steps: Steps;
  readonly table: FaultTable;
  readonly named: StepNames;
  /** Of the life: 1 for the first. */
  readonly number: number;
  /** Whether a segment's file goes while its partition's log still begins at or before it. */
  readonly isHot: (path: string) => boolean;
  /** A checkpoint was registered. */
  readonly onCheckpoint: () => void;
}

/** What a call of a dying process comes to: nothing, and nobody hears of it. */
export function never<Result>(): Promise<Result> {
  return new Promise(() => undefined);
}

/**
 * The disk as one life of the broker sees it: traced, counted, and of no use after the life's end.
 */
export class WatchedDisk implements Disk {
  readonly #disk: MemoryDisk;
  readonly #watchers: Watchers;
  /** Journal files that hold, behind what is written to them, objects of a former life. */
  readonly #reused = new Set<string>();

  constructor(disk: MemoryDisk, watchers: Watchers) {
    this.#disk = disk;
    this.#watchers = watchers;
  }

  open(path: string, options: { readonly create: "never" | "ifAbsent" }): DiskFile | undefined {
    const file = this.#create(path, options);
    return file === undefined ? undefined : this.#file(path, file);
  }

  list(directory: string): readonly string[] {
    return this.#call("list", directory, () => this.#disk.list(directory));
  }

  makeDirectory(directory: string): void {
    if (this.#watchers.life.isFrozen) return;
    this.#call("makeDirectory", directory, () => this.#disk.makeDirectory(directory));
  }

  remove(path: string): void {
    const names = (): readonly string[] => this.#disk.list(folderOf(path));
    this.#step(stepsOfRemoval(path, this.#watchers.isHot, names), () => {
      this.#call("remove", path, () => this.#disk.remove(path));
    });
  }

  async removeFolder(directory: string): Promise<void> {
    const named = stepsOfRemoval(directory, this.#watchers.isHot, () => []);
    await this.#stepLater(named, () => {
      return this.#later("removeFolder", directory, () => this.#disk.removeFolder(directory));
    });
  }

  rename(from: string, to: string): void {
    this.#step(stepsOfRename(from, to), () => {
      this.#call("rename", `${from} ${to}`, () => this.#disk.rename(from, to));
    });
    if (from.endsWith(".spare")) this.#reused.add(to);
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#later("syncDirectory", directory, () => this.#disk.syncDirectory(directory));
  }

  #create(path: string, options: { readonly create: "never" | "ifAbsent" }): DiskFile | undefined {
    const open = (): DiskFile | undefined => {
      return this.#call("open", path, () => this.#disk.open(path, options));
    };
    if (options.create === "never") return open();
    const named = stepsOfCreation(path, this.#disk.list(folderOf(path)));
    this.#watchers.steps.reached("before", named);
    this.#refuseFrozen(path);
    const file = open();
    this.#watchers.steps.reached("after", named);
    return file;
  }

  /** One that can't fail: of a dying process it has no effect. */
  #step(named: readonly string[], run: () => void): void {
    const { life, steps } = this.#watchers;
    steps.reached("before", named);
    if (life.isFrozen) return;
    run();
    steps.reached("after", named);
  }

  async #stepLater(named: readonly string[], run: () => Promise<void>): Promise<void> {
    const { life, steps } = this.#watchers;
    steps.reached("before", named);
    if (life.isFrozen) return never();
    await run();
    if (steps.reached("after", named)) return never();
  }

  #refuseFrozen(path: string): void {
    if (!this.#watchers.life.isFrozen) return;
    throw new DiskError("io", { path, applied: "no", cause: new Error("the process is dying") });
  }

  #file(path: string, file: DiskFile): DiskFile {
    return {
      size: () => this.#call("size", path, () => file.size()),
      modifiedMs: () => this.#call("modifiedMs", path, () => file.modifiedMs()),
      write: (position, parts) => {
        this.#refuseFrozen(path);
        for (const part of parts) {
          this.#watchers.trace.addBytes(`disk write ${path} at ${position}`, part);
        }
        this.#call("write", path, () => file.write(position, parts));
      },
      read: (position, into) => this.#call("read", path, () => file.read(position, into)),
      resize: (size) => {
        this.#refuseFrozen(path);
        this.#call("resize", path, () => file.resize(size));
      },
      sync: () => {
        return this.#stepLater(stepsOfSync(path), () => {
          return this.#later("sync", path, () => file.sync());
        });
      },
      close: () => this.#call("close", path, () => file.close()),
    };
  }

  #call<Result>(operation: string, path: string, run: () => Result): Result {
    this.#watchers.life.check(`disk ${operation} ${path}`);
    this.#watchers.world.count();
    if (!quietOperations.has(operation)) this.#watchers.trace.add(`disk ${operation} ${path}`);
    try {
      return run();
    } catch (error) {
      throw this.#noted(error, operation, path);
    }
  }

  #later(operation: string, path: string, run: () => Promise<void>): Promise<void> {
    const { life, steps, trace, world } = this.#watchers;
    life.check(`disk ${operation} ${path}`);
    if (life.isFrozen) return never();
    world.count();
    trace.add(`disk ${operation} ${path} begins`);
    const kinds = this.#reused.has(path) ? [fileKind(path), "reused journal"] : [fileKind(path)];
    const ends = kinds.map((kind) => steps.begin(`${operation} ${kind}`));
    const ended = run().then(
      () => {
        for (const end of ends) end();
        trace.add(`disk ${operation} ${path} ends`);
      },
      (error: unknown) => {
        for (const end of ends) end();
        throw this.#noted(error, operation, path);
      },
    );
    return life.fence(ended);
  }

  #noted(error: unknown, operation: string, path: string): unknown {
    if (error instanceof DiskError) {
      const fault = error.reason === "full" ? "disk full" : "disk error";
      this.#watchers.table.add(fault, `${operation} ${fileKind(path)}`);
      this.#watchers.trace.add(`${fault} ${operation} ${path}`);
    }
    return error;
  }
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

const quietOperations = new Set(["size", "modifiedMs", "read", "list", "close", "write"]);

/** The metadata store as one life of the broker sees it; closing it leaves the items alone. */
export function watchedStore(
  store: FaultyMetadataStore,
  watchers: Watchers,
): MetadataStore & KeySeeker {
  const { life, named, number, steps, table, trace, world } = watchers;
  const call = <Result>(
    operation: string,
    kinds: readonly string[],
    run: () => Promise<Result>,
  ): Promise<Result> => {
    life.check(`store ${operation} ${kinds.join(" ")}`);
    if (life.isFrozen) return never();
    if (!kinds.every((kind) => uncounted.has(kind))) world.count();
    const calls = kinds.map((kind) => `${operation} ${kind}`);
    const ends = calls.map((step) => steps.begin(step));
    const ended = run().then(
      (result) => {
        for (const end of ends) end();
        return result;
      },
      (error: unknown) => {
        for (const end of ends) end();
        if (error instanceof MetadataError) {
          const fault = error.message.replace("injected: ", "store ");
          for (const step of calls) table.add(fault, step);
          trace.add(`${fault} ${calls.join(", ")}`);
        }
        throw error;
      },
    );
    return life.fence(ended);
  };
  return {
    get: (key, consistency) => call("get", [keyKind(key)], () => store.get(key, consistency)),
    range: (range) => call("range", [keyKind(range.from)], () => store.range(range)),
    firstKey: (bounds) => call("seek", ["slot"], () => store.firstKey(bounds)),
    transact: async (writes) => {
      const reached = named.ofTransaction(writes, number);
      steps.reached("before", reached);
      if (life.isPaused) await life.goesOn();
      if (life.isFrozen) return never();
      trace.add(`store transact ${JSON.stringify(writes)}`);
      const outcome = await call("transact", kindsOf(writes), () => store.transact(writes));
      if (!outcome.ok) return outcome;
      named.made(writes, number);
      if (reached.includes("checkpoint registered")) watchers.onCheckpoint();
      if (steps.reached("after", reached)) return never();
      if (life.isPaused) await life.goesOn();
      return outcome;
    },
    close: () => Promise.resolve(),
  };
}

/** Heartbeats, and looks whether anything has changed: time makes as many of them as it likes. */
const uncounted: ReadonlySet<string> = new Set(["heartbeat", "version"]);

/** Checks name what protects a write, not what is written. */
function kindsOf(writes: readonly Write[]): readonly string[] {
  const written = writes.filter(({ kind }) => kind !== "check");
  return [...new Set(written.map(({ key }) => keyKind(key)))].sort();
}
