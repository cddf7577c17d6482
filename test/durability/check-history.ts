/**
 * The checker of the durability lane: does what the log holds in the end agree with what clients
 * were told while the broker was killed again and again?
 *
 * Events are the lines of `load.py` and `drain.py`; see there for their meaning.
 */
export interface Anomaly {
  readonly rule:
    | "lost write"
    | "duplicate"
    | "inconsistent offsets"
    | "out of order"
    | "commit went back"
    | "commit past the end"
    | "client gave up";
  readonly detail: string;
}

export interface Verdict {
  readonly anomalies: readonly Anomaly[];
  readonly acknowledged: number;
  readonly polled: number;
  readonly stored: number;
  readonly commits: number;
}

class History {
  readonly anomalies: Anomaly[] = [];
  /** "partition/offset" → the value that somebody was told lies there. */
  readonly told = new Map<string, number>();
  readonly acknowledged = new Map<string, number>();
  /** Partition → the highest position whose commit was acknowledged. */
  readonly committed = new Map<number, number>();
  polled = 0;
  commits = 0;

  found(rule: Anomaly["rule"], detail: string): void {
    this.anomalies.push({ rule, detail });
  }

  sees(at: string, value: number): void {
    const before = this.told.get(at);
    if (before === undefined) this.told.set(at, value);
    else if (before !== value) {
      this.found("inconsistent offsets", `${at} held ${before} and then ${value}`);
    }
  }

  take(line: string): void {
    const [kind, first, second, third] = line.split(" ");
    const at = `${first}/${second}`;
    switch (kind) {
      case "A":
        this.sees(at, Number(third));
        this.acknowledged.set(at, Number(third));
        return;
      case "P":
        this.polled += 1;
        this.sees(at, Number(third));
        return;
      case "C":
        this.commits += 1;
        this.#committed(Number(first), Number(second));
        return;
      case "F":
        this.#fetched(Number(first), Number(second));
        return;
      case "E":
        return;
      case "X":
        this.found("client gave up", line.slice(2));
        return;
      default:
        throw new Error(`not an event of a history: ${line}`);
    }
  }

  #committed(partition: number, offset: number): void {
    const before = this.committed.get(partition) ?? -1;
    this.committed.set(partition, Math.max(before, offset));
  }

  #fetched(partition: number, offset: number): void {
    const before = this.committed.get(partition) ?? -1;
    if (offset < before) {
      this.found(
        "commit went back",
        `partition ${partition}: ${before} was committed, then ${offset}`,
      );
    }
  }
}

export function checkHistory(load: readonly string[], drain: readonly string[]): Verdict {
  const history = new History();
  for (const line of load) history.take(line);
  const stored = readStored(history, drain);
  for (const [at, value] of history.acknowledged) {
    const found = stored.get(at);
    if (found === undefined) history.found("lost write", `${value}, acknowledged at ${at}`);
  }
  for (const line of drain) if (line.startsWith("F")) history.take(line);
  return {
    anomalies: history.anomalies,
    acknowledged: history.acknowledged.size,
    polled: history.polled,
    stored: stored.size,
    commits: history.commits,
  };
}

function readStored(history: History, drain: readonly string[]): ReadonlyMap<string, number> {
  const stored = new Map<string, number>();
  const places = new Map<number, string>();
  const last = new Map<string, number>();
  const ends = new Map<number, number>();
  for (const line of drain) {
    const [kind, partition = "", offset, text] = line.split(" ");
    if (kind !== "R") continue;
    const at = `${partition}/${offset}`;
    const value = Number(text);
    const twin = places.get(value);
    if (twin !== undefined) history.found("duplicate", `${value} lies at ${twin} and at ${at}`);
    const before = last.get(partition) ?? -1;
    if (value < before) history.found("out of order", `${value} at ${at} follows ${before}`);
    places.set(value, at);
    last.set(partition, value);
    ends.set(Number(partition), Number(offset) + 1);
    stored.set(at, value);
    history.sees(at, value);
  }
  for (const [partition, offset] of history.committed) {
    const end = ends.get(partition) ?? 0;
    if (offset > end) {
      history.found("commit past the end", `partition ${partition}: ${offset}, the end is ${end}`);
    }
  }
  return stored;
}
