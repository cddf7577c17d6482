/**
 * How often each fault hit each step of the broker's work. A fault that is drawn and meets nothing
 * is not a hit. Zero, where a hit can occur, means that the simulation does not test that case.
 */
export class FaultTable {
  readonly #hits = new Map<string, Map<string, number>>();

  add(fault: string, step: string, times = 1): void {
    const row = this.#hits.get(fault) ?? new Map<string, number>();
    row.set(step, (row.get(step) ?? 0) + times);
    this.#hits.set(fault, row);
  }

  hits(fault: string, step: string): number {
    return this.#hits.get(fault)?.get(step) ?? 0;
  }

  total(fault: string): number {
    return [...(this.#hits.get(fault)?.values() ?? [])].reduce((sum, hits) => sum + hits, 0);
  }

  merge(other: FaultTable): void {
    for (const { fault, step, hits } of other.rows()) this.add(fault, step, hits);
  }

  /** Sorted by fault, then by step. */
  rows(): readonly { readonly fault: string; readonly step: string; readonly hits: number }[] {
    const rows = [...this.#hits].flatMap(([fault, steps]) =>
      [...steps].map(([step, hits]) => ({ fault, step, hits })),
    );
    return rows.sort((left, right) =>
      `${left.fault} ${left.step}` < `${right.fault} ${right.step}` ? -1 : 1,
    );
  }
}

/** A crash just before a named step has its effect, or just after it, before the broker knows. */
export type Side = "before" | "after";

interface ArmedCrash {
  readonly step: string;
  readonly side: Side;
  /** Says whether the broker dies of it, or goes on, perhaps much later. */
  readonly hit: () => "dies" | "goesOn";
}

/** What the broker is waiting for at the moment: the steps that a kill may hit. */
export class Steps {
  readonly #running = new Map<string, number>();
  #watch: { readonly step: string; readonly hit: () => void } | undefined;
  #armed: ArmedCrash | undefined;
  readonly #held = new Map<string, () => void>();

  begin(step: string): () => void {
    this.#running.set(step, (this.#running.get(step) ?? 0) + 1);
    const watch = this.#watch;
    if (watch?.step === step) {
      this.#watch = undefined;
      watch.hit();
    }
    let isRunning = true;
    return () => {
      if (!isRunning) return;
      isRunning = false;
      const left = (this.#running.get(step) ?? 1) - 1;
      if (left === 0) this.#running.delete(step);
      else this.#running.set(step, left);
    };
  }

  /** Sorted; `idle` when there is none. */
  get running(): readonly string[] {
    return this.#running.size === 0 ? ["idle"] : [...this.#running.keys()].sort();
  }

  /** Calls `hit` once, when the step begins next. One watch at a time. */
  watch(step: string, hit: () => void): void {
    this.#watch = { step, hit };
  }

  /** Calls `hit` once, when the named step is reached next. One at a time. */
  arm(crash: ArmedCrash): void {
    this.#armed = crash;
  }

  /** One of these named steps is about to have its effect, or has had it. True: the broker dies. */
  reached(side: Side, named: readonly string[]): boolean {
    const armed = this.#armed;
    if (armed?.side !== side || !named.includes(armed.step)) return false;
    this.#armed = undefined;
    return armed.hit() === "dies";
  }

  /** A named step that shows in the broker's memory alone was made. */
  pass(step: string): void {
    this.reached("after", [step]);
  }

  /** The step is running as long as `isHeld`. */
  hold(step: string, isHeld: boolean): void {
    const isRunning = this.#held.has(step);
    if (isRunning === isHeld) return;
    if (isHeld) this.#held.set(step, this.begin(step));
    else {
      this.#held.get(step)?.();
      this.#held.delete(step);
    }
  }

  unwatch(): void {
    this.#watch = undefined;
  }

  disarm(): void {
    this.#armed = undefined;
  }

  clear(): void {
    this.#held.clear();
    this.#running.clear();
  }
}

/** What kind of file a path is, for the table: `journal`, `segment`, `index`… */
export function fileKind(path: string): string {
  if (path.startsWith("journal")) return "journal";
  // What compaction writes beside the log; its indexes can be made again.
  if (/\d\.(cleaned|swap)$/u.test(path)) return "cleaned";
  const extension = /\.(log|index|timeindex|snapshot)$/u.exec(path)?.[1];
  if (extension === "log") return "segment";
  if (extension !== undefined) return extension;
  return path.endsWith("leader-epochs") || path.includes("leader-epochs") ? "epochs" : "folder";
}

/** What kind of object a key is: `data` or `checkpoint`; the cluster's id comes first. */
export function objectKind(key: string): string {
  return key.split("/")[1] ?? key;
}

/** What kind of item a key is: `leadership`, `topic`, `dirty`, `offsets`… */
export function keyKind(key: string): string {
  const parts = key.split("/");
  return parts[0] === "slot" ? (parts[2] ?? "slot") : (parts[0] ?? key);
}
