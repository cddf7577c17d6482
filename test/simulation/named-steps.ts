import { type ItemValue, readHead, type Write } from "@millrace/core";
import { fileKind, keyKind, objectKind } from "./fault-table.ts";
import type { StepNames } from "./step-names.ts";

/**
 * The steps in which the object store, the manifest and the disk change hands: a crash comes just
 * before and just after each of them.
 */
export const namedSteps: readonly string[] = [
  "segment stored",
  "segment named",
  "cold parts replaced",
  "tail counted",
  "checkpoint stored",
  "checkpoint registered",
  "sources dropped",
  "start stored",
  "segments deleted",
  "segments forgotten",
  "checkpoints deleted",
  "hot segment removed",
  "cleaned segment written",
  "swap named",
  "old segment removed",
  "swap put in place",
  "log restarted",
  "journal trimmed",
  "former journal closed",
  "former journal removed",
];

/**
 * Tells which named steps a call of a port is. It remembers the items that heads and incarnations
 * had, since one write of such an item is one of several steps.
 */
export class NamedSteps implements StepNames {
  readonly #items = new Map<string, ItemValue>();
  /** Keys of the manifest's items. */
  readonly #segments = new Set<string>();
  /** The life in which an incarnation's item was first seen. */
  readonly #bornIn = new Map<string, number>();

  /** Of a transaction that is about to be made in this life of the broker. */
  ofTransaction(writes: readonly Write[], life: number): readonly string[] {
    if (this.#isReplacement(writes)) return ["cold parts replaced"];
    return [...new Set(writes.flatMap((write) => this.#ofWrite(write, life) ?? []))];
  }

  /** The transaction was made. */
  made(writes: readonly Write[], life: number): void {
    for (const write of writes) {
      const kind = keyKind(write.key);
      if (write.kind === "delete") this.#segments.delete(write.key);
      if (write.kind !== "put") continue;
      if (kind === "segment") this.#segments.add(write.key);
      if (kind !== "head" && kind !== "incarnation") continue;
      this.#items.set(write.key, write.value);
      if (!this.#bornIn.has(write.key)) this.#bornIn.set(write.key, life);
    }
  }

  ofObjects(operation: string, keys: readonly string[]): readonly string[] {
    return stepsOfObjects(operation, keys);
  }

  /** Whether segments take the place of others: some go as some come, or one has the other's key. */
  #isReplacement(writes: readonly Write[]): boolean {
    const ofSegments = writes.filter(({ key }) => keyKind(key) === "segment");
    const puts = ofSegments.filter(({ kind }) => kind === "put");
    const isOver = puts.some(({ key }) => this.#segments.has(key));
    return isOver || (puts.length > 0 && ofSegments.some(({ kind }) => kind === "delete"));
  }

  #ofWrite(write: Write, life: number): string | undefined {
    const kind = keyKind(write.key);
    if (write.kind === "delete") return kind === "segment" ? "segments forgotten" : undefined;
    if (write.kind !== "put") return undefined;
    if (kind === "segment") return "segment named";
    if (kind === "partition") return "start stored";
    const before = this.#items.get(write.key);
    if (before === undefined) return undefined;
    if (kind === "head")
      return isDrop(write.key, before, write.value) ? "sources dropped" : undefined;
    return kind === "incarnation" ? this.#ofIncarnation(write, before, life) : undefined;
  }

  #ofIncarnation(
    { key, value }: { readonly key: string; readonly value: ItemValue },
    before: ItemValue,
    life: number,
  ): string | undefined {
    if (before["state"] !== value["state"]) {
      return this.#bornIn.get(key) === life ? undefined : "former journal closed";
    }
    if (before["trim"] !== value["trim"]) return "journal trimmed";
    const isSame = JSON.stringify(before["checkpoint"]) === JSON.stringify(value["checkpoint"]);
    return isSame ? undefined : "checkpoint registered";
  }
}

function isDrop(key: string, before: ItemValue, after: ItemValue): boolean {
  const [old, now] = [before, after].map((value) => readHead({ key, version: 0, value }));
  if (old === undefined || now === undefined || old.epoch !== now.epoch) return false;
  return now.sources.length < old.sources.length;
}

/** Of a call of the object store. */
function stepsOfObjects(operation: string, keys: readonly string[]): readonly string[] {
  const kinds = new Set(keys.map(objectKind));
  if (operation === "put") return [...kinds].map((kind) => `${nameOf(kind)} stored`);
  return operation === "delete" ? [...kinds].map((kind) => `${nameOf(kind)}s deleted`) : [];
}

function nameOf(kind: string): string {
  return kind === "data" ? "segment" : kind;
}

/**
 * Of the removal of a file or a folder. `isHot`: the partition's log still begins at or before it;
 * `names`: what the folder has that the file is in.
 */
export function stepsOfRemoval(
  path: string,
  isHot: (path: string) => boolean,
  names: () => readonly string[],
): readonly string[] {
  if (path.startsWith("journal/") && !path.endsWith(".journal") && !path.endsWith(".spare")) {
    return ["former journal removed"];
  }
  if (fileKind(path) !== "segment") return [];
  if (names().some((name) => isReplacedBy(name, offsetOf(path)))) return ["old segment removed"];
  return isHot(path) ? ["hot segment removed"] : [];
}

function isReplacedBy(name: string, offset: number): boolean {
  const [, base, end] = /^(\d{20})-(\d{20})\.swap$/u.exec(name) ?? [];
  return base !== undefined && offset >= Number(base) && offset < Number(end);
}

function offsetOf(path: string): number {
  return Number(path.slice(path.lastIndexOf("/") + 1, -".log".length));
}

/** Of a sync of a file. */
export function stepsOfSync(path: string): readonly string[] {
  return path.endsWith(".cleaned") && fileKind(path) === "cleaned"
    ? ["cleaned segment written"]
    : [];
}

export function stepsOfRename(from: string, to: string): readonly string[] {
  if (to.endsWith(".swap")) return ["swap named"];
  return from.endsWith(".swap") ? ["swap put in place"] : [];
}

/** Of the making of a file in a folder that has these names. */
export function stepsOfCreation(path: string, names: readonly string[]): readonly string[] {
  if (fileKind(path) !== "segment" || names.some((name) => name.endsWith(".log"))) return [];
  return offsetOf(path) > 0 ? ["log restarted"] : [];
}
