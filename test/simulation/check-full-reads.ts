import type { CompactedKeys } from "./compacted-keys.ts";
import type { Anomaly, Loss, Operation, PolledRecord, Send, FullRead } from "./history.ts";

export interface FullReadRules {
  readonly keys: CompactedKeys;
  readonly survives: (send: Send) => boolean;
  /** The partition's log start: what is below it was deleted. */
  readonly startOf: (partition: string) => number;
  readonly losses: readonly Loss[];
}

/** That a key had a record there is proven: acknowledged for good, or seen. */
interface Proof {
  readonly key: number;
  readonly offset: number;
  readonly isTombstone: boolean;
  readonly at: number;
}

/**
 * Judges what readings of a compacted partition from its start to its end show of each key: the last
 * record that was known before, or a later one; nothing only if the last one may be a tombstone; and
 * of a key that was seen gone nothing that is older than that.
 */
export function checkFullReads(operations: readonly Operation[], rules: FullReadRules): Anomaly[] {
  const proofs = new Map<string, Proof[]>();
  const fullReads = new Map<string, FullRead[]>();
  for (const operation of operations) {
    if (operation.completion !== "ok") continue;
    if (operation.kind === "fullRead") listAt(fullReads, operation.partition).push(operation);
    else listAt(proofs, partitionOf(operation)).push(...proofsOf(operation, rules));
  }
  return [...fullReads].flatMap(([partition, ofPartition]) => {
    return new Judge(partition, proofs.get(partition) ?? [], rules).judge(ofPartition);
  });
}

function partitionOf(operation: Operation): string {
  return operation.kind === "assignment" ? "" : operation.partition;
}

function proofsOf(operation: Operation, rules: FullReadRules): readonly Proof[] {
  const at = operation.completedAt;
  if (operation.kind === "send") {
    const { isTombstone = false, key, offset } = operation;
    if (key === undefined || offset === undefined || !rules.survives(operation)) return [];
    return [{ key, offset, isTombstone, at }];
  }
  if (operation.kind !== "poll") return [];
  return operation.records.flatMap(({ isTombstone = false, key, offset }) => {
    return key === undefined ? [] : [{ key, offset, isTombstone, at }];
  });
}

function listAt<Item>(lists: Map<string, Item[]>, name: string): Item[] {
  const list = lists.get(name) ?? [];
  lists.set(name, list);
  return list;
}

class Judge {
  readonly #partition: string;
  readonly #proofs: readonly Proof[];
  readonly #rules: FullReadRules;
  /** Of each key the last record that was known so far. */
  readonly #last = new Map<number, Proof>();
  readonly #found: Anomaly[] = [];

  constructor(partition: string, proofs: readonly Proof[], rules: FullReadRules) {
    this.#partition = partition;
    this.#proofs = proofs.toSorted((left, right) => left.at - right.at);
    this.#rules = rules;
  }

  judge(fullReads: readonly FullRead[]): Anomaly[] {
    let next = 0;
    const before: FullRead[] = [];
    for (const fullRead of fullReads.toSorted((left, right) => left.invokedAt - right.invokedAt)) {
      for (; (this.#proofs[next]?.at ?? Infinity) < fullRead.invokedAt; next += 1) {
        this.#learn(this.#proofs[next]);
      }
      this.#judgeOne(fullRead);
      this.#judgeAfter(fullRead, before);
      before.push(fullRead);
    }
    return this.#found;
  }

  #learn(proof: Proof | undefined): void {
    if (proof === undefined) return;
    const known = this.#last.get(proof.key);
    if (known === undefined || known.offset < proof.offset) this.#last.set(proof.key, proof);
  }

  #judgeOne(fullRead: FullRead): void {
    const { keys, startOf } = this.#rules;
    const tops = topsOf(fullRead);
    for (const [key, last] of this.#last) {
      const top = tops.get(key);
      if (top !== undefined && top.offset >= last.offset) continue;
      if (last.offset < startOf(this.#partition) || this.#wasLost()) continue;
      if (this.#mayGoOn(fullRead, key)) continue;
      const place = {
        partition: this.#partition,
        key,
        after: last.offset,
        at: fullRead.completedAt,
      };
      const mayBeDeleted =
        last.isTombstone || keys.mayHaveLater(place, (send) => send.isTombstone === true);
      const what = `${fullRead.consumer} saw ${tell(top)}, after ${tell(last)} was known`;
      if (!mayBeDeleted) this.#note("keyLost", key, what);
      else if (top !== undefined && fullRead.isTimely) this.#note("keyCameBack", key, what);
    }
  }

  /** A key that one full read showed to be gone: what the next one shows of it came later. */
  #judgeAfter(fullRead: FullRead, before: readonly FullRead[]): void {
    const previous = before.findLast(({ completedAt }) => completedAt < fullRead.invokedAt);
    if (previous === undefined || !fullRead.isTimely || this.#wasLost()) return;
    const gone = topsOf(previous);
    for (const [key, top] of topsOf(fullRead)) {
      const wasGone = !gone.has(key) || gone.get(key)?.isTombstone === true;
      const isOlder = top.offset < (gone.get(key)?.offset ?? previous.to);
      if (top.isTombstone === true || !wasGone || !isOlder) continue;
      if (top.offset < this.#rules.startOf(this.#partition) || this.#mayGoOn(fullRead, key))
        continue;
      const what = `${fullRead.consumer} saw ${tell(top)}, after it had been gone`;
      this.#note("keyCameBack", key, what);
    }
  }

  /** Whether the key may have got a record behind the full read's end meanwhile, for which others went. */
  #mayGoOn({ completedAt: at, isQuiet, to }: FullRead, key: number): boolean {
    if (isQuiet) return false;
    const place = { partition: this.#partition, key, after: to - 1, at };
    return this.#rules.keys.mayHaveLater(place, () => true);
  }

  /** What a key's last record was is not known any more: it may have gone with its folder. */
  #wasLost(): boolean {
    return this.#rules.losses.some(({ partition }) => partition === this.#partition);
  }

  #note(kind: "keyLost" | "keyCameBack", key: number, what: string): void {
    this.#found.push({ kind, what: `${this.#partition}: of key ${key} ${what}` });
  }
}

function topsOf(fullRead: FullRead): ReadonlyMap<number, PolledRecord> {
  const tops = new Map<number, PolledRecord>();
  for (const record of fullRead.records) {
    if (record.key !== undefined) tops.set(record.key, record);
  }
  return tops;
}

function tell(
  record: { readonly offset: number; readonly isTombstone?: boolean } | undefined,
): string {
  if (record === undefined) return "nothing";
  return record.isTombstone === true ? `its tombstone @${record.offset}` : `@${record.offset}`;
}
