/** What a loss of power leaves of objects as files. */
import {
  closeSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmdirSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writevSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { SeededRandom } from "@millrace/adapter-memory";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FileObjectStore } from "./object-files.ts";
import type { FileCalls, OpenedFile } from "./object-files-calls.ts";

/** A name that came or went in a folder, and what a loss of power may make of it. */
interface NameChange {
  readonly folder: string;
  readonly undo: () => void;
}

/**
 * Files that keep their word and not more: after `losePower`, names that came or went in a folder
 * that was not synced since may be gone or back, and bytes that were not synced may be cut. Each
 * call happens at once, some turns after it was made, as chance has it: one seed is one run.
 */
class LossyFiles {
  readonly #random: SeededRandom;
  readonly #graveyard: string;
  #names: NameChange[] = [];
  /** Bytes of each file that are durable, by inode. */
  readonly #synced = new Map<number, number>();
  readonly #descriptors = new Set<number>();
  #isDead = false;
  #buried = 0;

  constructor(random: SeededRandom, graveyard: string) {
    this.#random = random;
    this.#graveyard = graveyard;
    mkdirSync(graveyard);
  }

  readonly calls: FileCalls = {
    open: (path, flags) => this.#later(() => this.#opened(path, flags)),
    link: (from, to) =>
      this.#later(() => {
        linkSync(from, to);
        this.#names.push({ folder: dirname(to), undo: () => rmSync(to, { force: true }) });
      }),
    unlink: (path) => this.#later(() => this.#unlink(path)),
    mkdir: (path) => this.#later(() => this.#mkdir(path)),
    rmdir: (path) => this.#later(() => this.#rmdir(path)),
    readdir: (path) => this.#later(() => readdirSync(path, { withFileTypes: true })),
    lstat: (path) => this.#later(() => lstatSync(path)),
  };

  /** No call that is under way ends any more. */
  losePower(root: string): void {
    this.#isDead = true;
    for (const descriptor of this.#descriptors) closeSync(descriptor);
    this.#undoSome(this.#names);
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile()) continue;
      const { ino, size } = lstatSync(path);
      const synced = this.#synced.get(ino) ?? size;
      if (synced < size) truncateSync(path, synced + this.#random.below(size - synced));
    }
  }

  #undoSome(names: readonly NameChange[]): void {
    for (const { undo } of names.toReversed()) {
      if (this.#random.below(2) === 0) undo();
    }
  }

  async #later<Result>(run: () => Result): Promise<Result> {
    for (let turns = this.#random.below(4); turns > 0; turns -= 1) await Promise.resolve();
    if (this.#isDead) await new Promise(() => undefined);
    return run();
  }

  #opened(path: string, flags: string): OpenedFile {
    const descriptor = openSync(path, flags);
    this.#descriptors.add(descriptor);
    const { ino } = fstatSync(descriptor);
    if (flags === "wx") this.#synced.set(ino, 0);
    const file = {
      writev: (views: readonly Uint8Array[], position: number) =>
        this.#later(() => ({ bytesWritten: writevSync(descriptor, [...views], position) })),
      read: (into: Uint8Array, offset: number, length: number, position: number) =>
        this.#later(() => ({ bytesRead: readSync(descriptor, into, offset, length, position) })),
      stat: () => this.#later(() => fstatSync(descriptor)),
      datasync: () => this.#later(() => this.#synced.set(ino, fstatSync(descriptor).size)),
      sync: () => this.#syncFolder(path),
      close: () =>
        this.#later(() => {
          this.#descriptors.delete(descriptor);
          closeSync(descriptor);
        }),
    };
    return file as unknown as OpenedFile;
  }

  /** What came before the call is durable when it ends. */
  async #syncFolder(folder: string): Promise<void> {
    const before = new Set(this.#names);
    await this.#later(() => {
      this.#names = this.#names.filter((name) => name.folder !== folder || !before.has(name));
    });
  }

  #unlink(path: string): void {
    this.#buried += 1;
    const kept = join(this.#graveyard, String(this.#buried));
    linkSync(path, kept);
    unlinkSync(path);
    const undo = (): void => {
      mkdirSync(dirname(path), { recursive: true });
      rmSync(path, { force: true });
      linkSync(kept, path);
    };
    if (!path.includes("~temporary")) this.#names.push({ folder: dirname(path), undo });
  }

  /** What came and went in a folder is settled when the folder's own end is. */
  #rmdir(path: string): void {
    rmdirSync(path);
    const inner = this.#names.filter(({ folder }) => folder === path);
    this.#names = this.#names.filter(({ folder }) => folder !== path);
    const undo = (): void => {
      mkdirSync(path, { recursive: true });
      this.#undoSome(inner);
    };
    this.#names.push({ folder: dirname(path), undo });
  }

  #mkdir(path: string): void {
    const first = mkdirSync(path, { recursive: true });
    if (first === undefined) return;
    for (let at = path; at !== dirname(first); at = dirname(at)) {
      const made = at;
      const undo = (): void => rmSync(made, { recursive: true, force: true });
      this.#names.push({ folder: dirname(at), undo });
    }
  }
}

interface Known {
  readonly body: Uint8Array;
  state: "putting" | "put" | "deleting" | "deleted";
}

const keyOf = (n: number): string => `a/${n % 3}/${n % 2}/${n}`;

/** Puts and deletions under way at once, until the power goes; then what is there is compared. */
async function liveAndDie(
  seed: number,
): Promise<{ readonly put: number; readonly deleted: number }> {
  const random = new SeededRandom(seed);
  const folder = mkdtempSync(join(tmpdir(), "millrace-objects-"));
  const root = join(folder, "objects");
  const lossy = new LossyFiles(random, join(folder, "graveyard"));
  const known = new Map<string, Known>();
  const store = await FileObjectStore.open(root, { calls: lossy.calls });
  try {
    for (let n = 0; n < 50; n += 1) {
      begin(store, known, random, n);
      for (let turns = random.below(25); turns > 0; turns -= 1) await Promise.resolve();
    }
    lossy.losePower(root);
    const again = await FileObjectStore.open(root);
    for (const [key, object] of known) {
      const found = await again.readRange(key, { from: 0, bytes: 10_000 });
      if (object.state === "put") expect(found).toEqual(object.body);
      if (object.state === "deleted") expect(found).toBeUndefined();
      if (found !== undefined) expect(found).toEqual(object.body);
    }
    await again.close();
    const states = [...known.values()].map(({ state }) => state);
    const count = (wanted: Known["state"]): number => states.filter((s) => s === wanted).length;
    return { put: count("put"), deleted: count("deleted") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function begin(
  store: FileObjectStore,
  known: Map<string, Known>,
  random: SeededRandom,
  n: number,
): void {
  const there = [...known].filter(([, { state }]) => state === "put");
  const [key, object] = there[random.below(there.length + 1)] ?? [keyOf(n), undefined];
  if (object !== undefined && random.below(2) === 0) {
    object.state = "deleting";
    void store.delete([key]).then(() => {
      object.state = "deleted";
    });
    return;
  }
  const added: Known = { body: random.bytes(1 + random.below(3_000)), state: "putting" };
  known.set(keyOf(n), added);
  void store.putIfAbsent(keyOf(n), [added.body]).then((outcome) => {
    expect(outcome).toBe("stored");
    added.state = "put";
  });
}

test("every put that resolved is there, whole, and every deletion that resolved stays", async () => {
  const sums = { put: 0, deleted: 0 };
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const { put, deleted } = await liveAndDie(seed);
      sums.put += put;
      sums.deleted += deleted;
    }),
    { numRuns: 25 },
  );
  expect(sums.put).toBeGreaterThan(100);
  expect(sums.deleted).toBeGreaterThan(50);
});
