import type { CompactedKeys } from "./compacted-keys.ts";
import type { Anomaly, Loss, Operation, PolledRecord, Send, Sweep } from "./history.ts";

export interface SweepRules {
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
export function checkSweeps(operations: readonly Operation[], rules: SweepRules): Anomaly[] {
  const proofs = new Map<string, Proof[]>();
  const sweeps = new Map<string, Sweep[]>();
  for (const operation of operations) {
    if (operation.completion !== "ok") continue;
    if (operation.kind === "sweep") listAt(sweeps, operation.partition).push(operation);
    else listAt(proofs, partitionOf(operation)).push(...proofsOf(operation, rules));
  }
  return [...sweeps].flatMap(([partition, ofPartition]) => {
    return new Judge(partition, proofs.get(partition) ?? [], rules).judge(ofPartition);
  });
}

function partitionOf(operation: Operation): string {
  return operation.kind === "assignment" ? "" : operation.partition;
}

function proofsOf(operation: Operation, rules: SweepRules): readonly Proof[] {
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
  readonly #rules: SweepRules;
  /** Of each key the last record that was known so far. */
  readonly #last = new Map<number, Proof>();
  readonly #found: Anomaly[] = [];

  constructor(partition: string, proofs: readonly Proof[], rules: SweepRules) {
    this.#partition = partition;
    this.#proofs = proofs.toSorted((left, right) => left.at - right.at);
    this.#rules = rules;
  }

  judge(sweeps: readonly Sweep[]): Anomaly[] {
    let next = 0;
    const before: Sweep[] = [];
    for (const sweep of sweeps.toSorted((left, right) => left.invokedAt - right.invokedAt)) {
      for (; (this.#proofs[next]?.at ?? Infinity) < sweep.invokedAt; next += 1) {
        this.#learn(this.#proofs[next]);
      }
      this.#judgeOne(sweep);
      this.#judgeAfter(sweep, before);
      before.push(sweep);
    }
    return this.#found;
  }

  #learn(proof: Proof | undefined): void {
    if (proof === undefined) return;
    const known = this.#last.get(proof.key);
    if (known === undefined || known.offset < proof.offset) this.#last.set(proof.key, proof);
  }

  #judgeOne(sweep: Sweep): void {
    const { keys, startOf } = this.#rules;
    const tops = topsOf(sweep);
    for (const [key, last] of this.#last) {
      const top = tops.get(key);
      if (top !== undefined && top.offset >= last.offset) continue;
      if (last.offset < startOf(this.#partition) || this.#wasLost()) continue;
      if (this.#mayGoOn(sweep, key)) continue;
      const place = { partition: this.#partition, key, after: last.offset, at: sweep.completedAt };
      const mayBeDeleted =
        last.isTombstone || keys.mayHaveLater(place, (send) => send.isTombstone === true);
      const what = `${sweep.consumer} saw ${tell(top)}, after ${tell(last)} was known`;
      if (!mayBeDeleted) this.#note("keyLost", key, what);
      else if (top !== undefined && sweep.isTimely) this.#note("keyCameBack", key, what);
    }
  }

  /** A key that one sweep showed to be gone: what the next one shows of it came later. */
  #judgeAfter(sweep: Sweep, before: readonly Sweep[]): void {
    const previous = before.findLast(({ completedAt }) => completedAt < sweep.invokedAt);
    if (previous === undefined || !sweep.isTimely || this.#wasLost()) return;
    const gone = topsOf(previous);
    for (const [key, top] of topsOf(sweep)) {
      const wasGone = !gone.has(key) || gone.get(key)?.isTombstone === true;
      const isOlder = top.offset < (gone.get(key)?.offset ?? previous.to);
      if (top.isTombstone === true || !wasGone || !isOlder) continue;
      if (top.offset < this.#rules.startOf(this.#partition) || this.#mayGoOn(sweep, key)) continue;
      const what = `${sweep.consumer} saw ${tell(top)}, after it had been gone`;
      this.#note("keyCameBack", key, what);
    }
  }

  /** Whether the key may have got a record behind the sweep's end meanwhile, for which others went. */
  #mayGoOn({ completedAt: at, isQuiet, to }: Sweep, key: number): boolean {
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

function topsOf(sweep: Sweep): ReadonlyMap<number, PolledRecord> {
  const tops = new Map<number, PolledRecord>();
  for (const record of sweep.records) {
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
