/**
 * One owner that appends and trims, and several that close its journal, over one pair of stores and
 * at every step of each other. Whoever dies, and whatever the stores do, what must hold is checked.
 */
import type { MemoryObjectStore } from "@millrace/adapter-memory";
import { MetadataError, ObjectError } from "@millrace/core";
import type { ObjectStore } from "@millrace/core";
import { crc32c, decodeFence } from "@millrace/wire";
import { describe, expect, it } from "vitest";
import { RacingPorts } from "../../../../test/fixtures/racing-ports.ts";
import { ObjectAccess } from "../../tier/object-access.ts";
import { type ClosedJournal, closeJournal } from "./fence.ts";
import {
  cluster,
  createItem,
  incarnation,
  keyOf,
  numbersIn,
  recordTrim,
  smallLimits,
  TestEntry,
  turn,
} from "../fixtures.ts";
import { Flights } from "./flights.ts";
import { ObjectJournal } from "./object-journal.ts";

/** A mistake, put in at the ports, that a run must find. */
interface RaceMutation {
  readonly objects?: (store: MemoryObjectStore) => ObjectStore;
  readonly isTrimRecorded?: false;
}

interface RaceResult {
  /** Sentences; none if all held. */
  readonly violations: readonly string[];
  readonly met: ReadonlyMap<string, number>;
}

class Race extends RacingPorts {
  readonly violations: string[] = [];
}

interface Fencing {
  readonly name: string;
  readonly numbers: { readonly seq: number; readonly entries: readonly number[] }[];
  closed: ClosedJournal | undefined;
}

/** What the owner was told and what it knows that others do not. */
class Owner {
  readonly journal: ObjectJournal;
  readonly acked: { readonly number: number; readonly seq: number }[] = [];
  /** Of entries, by number, what each was told in the end. */
  readonly ends: string[][] = [];
  /** Durable seqs as heartbeats said. */
  heartbeat = 0;
  readonly #race: Race;
  #number = 0;

  constructor(race: Race, mutation: RaceMutation) {
    this.#race = race;
    const { clock, random } = race;
    const inner = mutation.objects?.(race.objects) ?? race.objects;
    const store = race.objectsOf("owner", inner);
    const access = { store: race.metadataOf("owner"), clock, random };
    this.journal = new ObjectJournal({
      ...{ clock, random, crc32c, cluster, incarnation, limits: smallLimits },
      objects: new ObjectAccess({ store, clock, random }),
      recordTrim: (trim) =>
        mutation.isTrimRecorded === false ? Promise.resolve() : recordTrim(access, trim),
      onOver: () => race.count("owner over"),
      warn: () => race.count("owner warned"),
    });
  }

  get #isGone(): boolean {
    return this.#race.isDead("owner") || this.journal.state !== "open";
  }

  append(): void {
    if (this.#isGone || !this.journal.hasRoom(200)) return;
    const ends: string[] = [];
    this.ends.push(ends);
    const entry = new TestEntry(this.#number++, (told, what) => {
      const [kind = "", seq] = what.split(" ");
      if (kind !== "delayed") ends.push(kind);
      if (this.#race.isDead("owner") || kind !== "durable") return;
      this.acked.push({ number: told.baseOffset, seq: Number(seq) });
    });
    this.journal.append(entry);
  }

  trim(): void {
    const { durableSeq, trim } = this.journal;
    if (this.#isGone || durableSeq === trim) return;
    const to = trim + 1 + this.#race.random.below(durableSeq - trim);
    this.journal.advanceTrim(to).catch((error: unknown) => {
      if (!(error instanceof MetadataError)) throw error;
    });
  }

  beat(): void {
    if (!this.#race.isDead("owner")) this.heartbeat = this.journal.durableSeq;
  }
}

function startFencer(race: Race, owner: Owner, mutation: RaceMutation, number: number): Fencing {
  const { clock, random } = race;
  const fencing: Fencing = { name: `fencer ${number}`, numbers: [], closed: undefined };
  const inner = mutation.objects?.(race.objects) ?? race.objects;
  const objects = new ObjectAccess({
    store: race.objectsOf(fencing.name, inner),
    ...{ clock, random },
  });
  const access = { store: race.metadataOf(fencing.name), clock, random };
  const deps = { access, objects, crc32c, cluster, limits: smallLimits };
  const again = (): void => {
    fencing.numbers.length = 0;
    closeJournal(deps, {
      incarnation,
      durable: owner.heartbeat,
      onObject: (found) => {
        fencing.numbers.push({ seq: found.seq, entries: numbersIn(found) });
      },
    }).then(
      (closed) => {
        fencing.closed = closed;
        race.count("fencer finished");
      },
      (error: unknown) => {
        const isAway = error instanceof MetadataError || error instanceof ObjectError;
        if (isAway) again();
        else race.violations.push(`${fencing.name}: ${String(error)}`);
      },
    );
  };
  again();
  return fencing;
}

/** Nothing that was acknowledged is at or past the end, or missing below it. */
function check(race: Race, owner: Owner, fencings: readonly Fencing[]): void {
  const { violations } = race;
  const done = fencings.filter(({ closed }) => closed !== undefined);
  const [first] = done;
  if (first?.closed === undefined) {
    violations.push("nobody closed the journal");
    return;
  }
  const { end, trim } = first.closed;
  for (const { closed, name, numbers } of done) {
    if (closed?.end !== end || closed.trim !== trim) violations.push(`${name} found another end`);
    const seqs = numbers.map(({ seq }) => seq);
    const expected = Array.from({ length: end - trim }, (_, i) => trim + i);
    if (String(seqs) !== String(expected)) violations.push(`${name} read ${seqs.join()}`);
    const read = new Map(numbers.map(({ entries, seq }) => [seq, entries]));
    for (const { number, seq } of owner.acked) {
      if (seq >= end) violations.push(`${number} acknowledged in ${seq}, the end is ${end}`);
      if (seq >= trim && seq < end && read.get(seq)?.includes(number) !== true) {
        violations.push(`${number} acknowledged in ${seq} and not read by ${name}`);
      }
    }
  }
  const fences = race.objects.keys.filter((key) => {
    return decodeFence(race.objects.bytesOf(key) ?? new Uint8Array(), crc32c).kind === "ok";
  });
  if (String(fences) !== keyOf(end)) violations.push(`fences at ${fences.join()}`);
  owner.acked.forEach(({ number }, i) => {
    if (number !== i) violations.push(`${number} was acknowledged as number ${i}`);
  });
}

/** Every entry of a living owner was told once how it ended. */
function checkEnds(race: Race, { ends, journal }: Owner): void {
  if (race.isDead("owner")) return;
  ends.forEach((told, number) => {
    if (told.length !== 1) race.violations.push(`${number} was told ${told.join()} in the end`);
  });
  if (journal.pendingBytes > 0) race.violations.push("bytes are pending for ever");
}

/** One run. The same seed gives the same one. */
async function runRace(seed: number, mutation: RaceMutation = {}): Promise<RaceResult> {
  const race = new Race(seed);
  await createItem(race.metadata);
  const owner = new Owner(race, mutation);
  const fencings: Fencing[] = [];
  const fencersMax = 3;
  const fenceFrom = race.random.below(120);
  for (let step = 0; step < 400; step++) {
    const what = race.random.below(1000);
    if (what < 150) owner.append();
    else if (what < 190) owner.trim();
    else if (what < 230) owner.beat();
    else if (what < 235 && step > fenceFrom) race.kill("owner");
    else if (what < 290 && step > fenceFrom && fencings.length < fencersMax) {
      fencings.push(startFencer(race, owner, mutation, fencings.length));
    } else if (what < 310 && fencings.length > 1) {
      race.kill(`fencer ${race.random.below(fencings.length)}`);
    } else race.step();
    await turn();
  }
  race.hasFaults = false;
  fencings.push(startFencer(race, owner, mutation, fencings.length));
  for (let step = 0; step < 3_000; step++) {
    await turn();
    if (!race.step()) break;
  }
  await turn();
  check(race, owner, fencings);
  checkEnds(race, owner);
  if (owner.acked.length > 0) race.count("acknowledged");
  if (owner.journal.trim > 0) race.count("trimmed");
  return { violations: race.violations, met: race.met };
}

const seeds = 80;

/** The first seed that finds something wrong, if any does. */
async function firstFinding(
  seedsMax: number,
  mutation: RaceMutation,
): Promise<{ readonly seed: number; readonly result: RaceResult } | undefined> {
  for (let seed = 0; seed < seedsMax; seed++) {
    const result = await runRace(seed, mutation);
    if (result.violations.length > 0) return { seed, result };
  }
  return undefined;
}

/** As a bucket that ignores the condition of a fence's put. */
function withoutCondition(store: MemoryObjectStore): ObjectStore {
  return Object.assign(Object.create(store) as ObjectStore, {
    readRange: store.readRange.bind(store),
    delete: store.delete.bind(store),
    putIfAbsent: async (key: string, parts: readonly Uint8Array[]) => {
      const [first = new Uint8Array()] = parts;
      if (decodeFence(first, crc32c).kind === "ok") await store.delete([key]);
      return store.putIfAbsent(key, parts);
    },
  });
}

describe("an owner and several who close its journal, at every step of each other", () => {
  it("agree on the end: what was acknowledged lies below it, and is read", async () => {
    const met = new Map<string, number>();
    for (let seed = 0; seed < seeds; seed++) {
      const result = await runRace(seed);
      expect([seed, result.violations]).toEqual([seed, []]);
      for (const [what, times] of result.met) met.set(what, (met.get(what) ?? 0) + times);
    }
    for (const what of [
      ...["acknowledged", "trimmed", "owner over", "owner died", "fencer died"],
      ...["fencer finished", "late effect"],
    ]) {
      expect([what, (met.get(what) ?? 0) > 10]).toEqual([what, true]);
    }
  });

  it("run the same way twice from one seed", async () => {
    const [first, second] = [await runRace(5), await runRace(5)];
    expect([...first.met]).toEqual([...second.met]);
  });
});

describe("a mistake is found within a few seeds:", () => {
  it("a fence that is put without the condition that nothing is there", async () => {
    const found = await firstFinding(60, { objects: withoutCondition });
    expect(found?.result.violations.length).toBeGreaterThan(0);
  });

  it("acknowledgements that leave out of order", async () => {
    const { nextToTell } = Flights.prototype;
    const overtaking = async (): Promise<unknown> => {
      // What landed is told, whatever is before it.
      const landed = new WeakMap<Flights, Parameters<Flights["landed"]>[0][]>();
      const { landed: land } = Flights.prototype;
      Flights.prototype.landed = function (flight) {
        landed.set(this, [...(landed.get(this) ?? []), flight]);
        land.call(this, flight);
      };
      Flights.prototype.nextToTell = function () {
        const [first, ...rest] = landed.get(this) ?? [];
        landed.set(this, rest);
        return first;
      };
      try {
        return await firstFinding(60, {});
      } finally {
        Flights.prototype.landed = land;
        Flights.prototype.nextToTell = nextToTell;
      }
    };
    expect(await overtaking()).toBeDefined();
    expect((await runRace(0)).violations).toEqual([]);
  });

  it("objects that are deleted before the trim is recorded", async () => {
    const found = await firstFinding(60, { isTrimRecorded: false });
    expect(found?.result.violations.length).toBeGreaterThan(0);
  });
});
