/** What one broker asked of its two stores, as AWS bills it. */
export interface Counts {
  /** Requests that S3 bills as PUT, COPY, POST or LIST: those of an upload in parts count each. */
  readonly puts: number;
  readonly gets: number;
  readonly lists: number;
  /** Requests that delete, which S3 does not bill. */
  readonly deletes: number;
  readonly putBytes: number;
  readonly getBytes: number;
  /** Request units of DynamoDB on demand. */
  readonly readUnits: number;
  readonly writeUnits: number;
}

/** The counts by what they were for: a part of the keys, such as `journal` or `heartbeat`. */
export interface Usage {
  readonly all: Counts;
  readonly puts: ReadonlyMap<string, number>;
  readonly reads: ReadonlyMap<string, number>;
  readonly writes: ReadonlyMap<string, number>;
}

export const noCounts: Counts = {
  puts: 0,
  gets: 0,
  lists: 0,
  deletes: 0,
  putBytes: 0,
  getBytes: 0,
  readUnits: 0,
  writeUnits: 0,
};

const noUsage: Usage = {
  all: noCounts,
  puts: new Map(),
  reads: new Map(),
  writes: new Map(),
};

/** Counts until somebody takes what was counted. */
export class Tally {
  #all: { -readonly [Name in keyof Counts]: number } = { ...noCounts };
  #puts = new Map<string, number>();
  #reads = new Map<string, number>();
  #writes = new Map<string, number>();

  add(counted: Partial<Counts>, of: string): void {
    for (const [name, count] of entriesOf(counted)) this.#all[name] += count;
    grow(this.#puts, of, counted.puts);
    grow(this.#reads, of, counted.readUnits);
    grow(this.#writes, of, counted.writeUnits);
  }

  /** What was counted since the last take. */
  take(): Usage {
    const taken = { all: this.#all, puts: this.#puts, reads: this.#reads, writes: this.#writes };
    this.#all = { ...noCounts };
    this.#puts = new Map();
    this.#reads = new Map();
    this.#writes = new Map();
    return taken;
  }
}

/** One broker's mean of several brokers' usage, over an hour. */
export function perBrokerHour(usages: readonly Usage[], minutes: number): Usage {
  return times(usages.reduce(plus, noUsage), 60 / minutes / usages.length);
}

/** So many times as much of everything. */
export function times({ all, puts, reads, writes }: Usage, factor: number): Usage {
  const timesEach = (counts: ReadonlyMap<string, number>): ReadonlyMap<string, number> =>
    new Map([...counts].map(([of, count]) => [of, count * factor]));
  return {
    all: mapped((name) => all[name] * factor),
    puts: timesEach(puts),
    reads: timesEach(reads),
    writes: timesEach(writes),
  };
}

function plus(one: Usage, other: Usage): Usage {
  return {
    all: mapped((name) => one.all[name] + other.all[name]),
    puts: plusEach(one.puts, other.puts),
    reads: plusEach(one.reads, other.reads),
    writes: plusEach(one.writes, other.writes),
  };
}

function plusEach(
  one: ReadonlyMap<string, number>,
  other: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const sum = new Map(one);
  for (const [of, count] of other) grow(sum, of, count);
  return sum;
}

function grow(counts: Map<string, number>, of: string, by: number | undefined): void {
  if (by !== undefined) counts.set(of, (counts.get(of) ?? 0) + by);
}

function mapped(count: (name: keyof Counts) => number): Counts {
  const counts: { -readonly [Name in keyof Counts]: number } = { ...noCounts };
  for (const [name] of entriesOf(noCounts)) counts[name] = count(name);
  return counts;
}

function entriesOf(counts: Partial<Counts>): readonly (readonly [keyof Counts, number])[] {
  return Object.entries(counts) as [keyof Counts, number][];
}
