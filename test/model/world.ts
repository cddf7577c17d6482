import {
  brokerId,
  type Head,
  type IncarnationId,
  incarnationId,
  type Item,
  keys,
  leadershipItem,
  type Leadership,
  memberItem,
  newIncarnationId,
  noLeadership,
  readHead,
  readLeadership,
  registered,
  type Slot,
  slot,
  supportedMillraceVersions,
  type Write,
} from "@millrace/core";

/**
 * A cluster as plain JSON: the items of the metadata store, the objects, and what each broker has
 * in memory. Every decision about items is one of core's; what is written here is the store, the
 * PUTs, and who does what when. A broker that is not scheduled is paused; a PUT may take effect
 * long after its broker died.
 */
export interface World {
  readonly slots: number;
  readonly items: Record<string, Item>;
  /** Journal objects by `{incarnation}/{seq}`. */
  readonly objects: Record<string, JournalObject>;
  /** By `{incarnation}/{number}`: what it leads to, by `{slot}@{epoch}`. */
  readonly checkpoints: Record<string, Sections>;
  /** PUTs whose effect is still to come, also those of the dead. */
  net: Flight[];
  readonly brokers: Broker[];
  /** By slot: the acknowledged value at each offset, null where it was not acknowledged. */
  readonly acked: (number | null)[][];
  /** To whom each epoch was given. */
  readonly epochs: Record<string, IncarnationId>;
  readonly counts: Record<Counted, number>;
}

/** What a search bounds. */
export type Counted = "appends" | "crashes" | "suspicions" | "moves" | "checkpoints";

export type JournalObject = "fence" | readonly JournalRecord[];
export type JournalRecord = readonly [slot: number, epoch: number, offset: number, value: number];
export type Sections = Readonly<Record<string, readonly number[]>>;

export interface Flight {
  readonly incarnation: IncarnationId;
  readonly seq: number;
  readonly records: readonly JournalRecord[];
}

export interface Broker {
  readonly id: number;
  incarnation: IncarnationId;
  /** It knows that this incarnation is over. */
  isOver: boolean;
  /** What it serves. */
  slots: Record<string, OpenSlot>;
  takes: Record<string, Take>;
  /** Journal: the next seq, those below `durable` are acknowledged, what waits for an answer. */
  next: number;
  durable: number;
  waiting: Waiting[];
  /** Of the newest checkpoint, registered or not. */
  number: number;
  /** What the newest registered one leads to. */
  sections: Sections;
  checkpoint: Checkpointing | null;
  /** By slot: of which head a copy was registered before a claim, and at which epoch. */
  copies: Record<string, { readonly epoch: number; readonly version: number }>;
  /** Released slots whose leadership is still to be written, with the epoch. */
  released: Record<string, number>;
}

interface Waiting {
  readonly records: readonly JournalRecord[];
  isAnswered: boolean;
}

interface OpenSlot {
  readonly epoch: number;
  /** Values by offset; those below `durable` are acknowledged, or were found by replay. */
  readonly log: number[];
  durable: number;
  move: "none" | "stopped" | "packed";
}

export interface Take {
  readonly epoch: number;
  step: "close" | "fence" | "end" | "copy" | "claim" | "look" | "replay";
  /** The head exactly as it was read. */
  head: Item | null;
  /** Where the fence is tried. */
  at: number;
  facts: readonly SourceFacts[];
}

/** What a source's item told, at the look before the replay. */
export interface SourceFacts {
  readonly incarnation: IncarnationId;
  readonly epoch: number;
  readonly isReleased: boolean;
  /** Its journal was not open at the look: what its item told cannot have changed since. */
  readonly isFrozen: boolean;
  readonly trim: number;
  readonly end: number;
  readonly checkpoint: number | null;
}

interface Checkpointing {
  readonly number: number;
  readonly upto: number;
  readonly sections: Sections;
  /** Epochs of the slots that were open when it was written. */
  readonly epochs: Readonly<Record<string, number>>;
  step: "written" | "registered" | "swept" | "trimmed" | "erased";
}

/** A record that was acknowledged is not where it must be, or a rule that nothing excuses. */
export class Violation extends Error {
  override readonly name = "Violation";
}

const bits = "0".repeat(32);

export function newWorld(size: { readonly brokers: number; readonly slots: number }): World {
  const world: World = {
    slots: size.slots,
    items: {},
    objects: {},
    checkpoints: {},
    net: [],
    brokers: [],
    acked: Array.from({ length: size.slots }, () => []),
    epochs: {},
    counts: { appends: 0, crashes: 0, suspicions: 0, moves: 0, checkpoints: 0 },
  };
  writeLeadership(world, noLeadership(size.slots));
  for (let id = 1; id <= size.brokers; id += 1) world.brokers.push(born(world, id));
  return world;
}

/** A new life of a broker, which serves nothing yet. */
export function born(world: World, id: number): Broker {
  const before = leadershipOf(world);
  const incarnation = newIncarnationId(before, bits);
  writeLeadership(world, registered(before, incarnation));
  const versions = supportedMillraceVersions;
  const member = { brokerId: brokerId(id), listeners: [], rack: undefined, versions };
  put(world, keys.incarnation(incarnation), memberItem({ ...member, epoch: before.epoch }));
  return {
    ...{ id, incarnation, isOver: false, slots: {}, takes: {} },
    ...{ next: 0, durable: 0, waiting: [], number: 0, sections: {}, checkpoint: null, copies: {} },
    released: {},
  };
}

export function leadershipOf(world: World): Leadership {
  const item = world.items[keys.leadership];
  if (item === undefined) throw new Violation("there is no leadership");
  return readLeadership(item, world.slots);
}

/** An epoch belongs to one incarnation for ever. */
export function writeLeadership(world: World, after: Leadership): void {
  for (const leader of after.leaders) {
    if (leader === undefined) continue;
    const before = world.epochs[leader.epoch];
    if (before !== undefined && before !== leader.incarnation) {
      throw new Violation(`epoch ${leader.epoch} is ${before}'s and ${leader.incarnation}'s`);
    }
    world.epochs[leader.epoch] = leader.incarnation;
  }
  put(world, keys.leadership, leadershipItem(after, supportedMillraceVersions.max));
}

export function journalItemOf(world: World, incarnation: IncarnationId): Item | undefined {
  return world.items[keys.incarnation(incarnation)];
}

export function headItemOf(world: World, of: number): Item | undefined {
  return world.items[keys.head(slot(of))];
}

export function headOf(world: World, of: Slot | number): Head | undefined {
  const item = headItemOf(world, of);
  return item === undefined ? undefined : readHead(item);
}

/** The store: all of them, or none. */
export function transact(world: World, writes: readonly Write[]): boolean {
  if (!writes.every((write) => holds(world, write))) return false;
  for (const write of writes) {
    if (write.kind === "put") put(world, write.key, write.value);
    else if (write.kind === "delete") delete world.items[write.key];
  }
  return true;
}

function holds(world: World, { key, condition }: Write): boolean {
  const found = world.items[key];
  if (condition === undefined) return true;
  if (condition.is === "absent") return found === undefined;
  if (condition.is === "version") return found?.version === condition.version;
  return Number(found?.value["epoch"] ?? 0) <= condition.epoch;
}

export function put(world: World, key: string, value: Item["value"]): void {
  const version = (world.items[key]?.version ?? 0) + 1;
  world.items[key] = { key, version, value: JSON.parse(JSON.stringify(value)) as Item["value"] };
}

export function objectKey(incarnation: IncarnationId, number: number): string {
  return `${incarnation}/${number}`;
}

export function sectionKey(of: number, epoch: number): string {
  return `${of}@${epoch}`;
}

export function incarnationOfItem(key: string): IncarnationId {
  return incarnationId(key.slice("incarnation/".length));
}

/**
 * Whoever serves a slot under its head holds every acknowledged record, and only one incarnation
 * ever serves at an epoch. To hold after every event.
 */
export function checkWorld(world: World): void {
  for (let of = 0; of < world.slots; of += 1) {
    const head = headOf(world, of);
    const owner = world.brokers.find((one) => one.incarnation === head?.owner);
    const open = owner?.slots[of];
    if (head === undefined || open === undefined || open.epoch !== head.epoch) continue;
    for (const [offset, value] of (world.acked[of] ?? []).entries()) {
      if (value === null || open.log[offset] === value) continue;
      const there = open.log[offset] ?? "nothing";
      throw new Violation(
        `slot ${of}: acknowledged ${value} at ${offset}, there is ${there} (epoch ${open.epoch})`,
      );
    }
  }
}

/**
 * The world's state for a search: equal where two worlds can only go on alike. An item's version
 * counts only where a taker holds the head as it read it.
 */
export function stateOf(world: World): string {
  for (const [key, item] of Object.entries(world.items)) {
    const again = (version: number): number => (version === item.version ? 2 : 1);
    for (const broker of key.endsWith("/head") ? world.brokers : []) renumber(broker, key, again);
    world.items[key] = { ...item, version: 2 };
  }
  return JSON.stringify(world);
}

/** What a broker holds of a head's versions. */
function renumber(broker: Broker, headKey: string, again: (version: number) => number): void {
  const isOfHead = (of: string): boolean => keys.head(slot(Number(of))) === headKey;
  for (const [of, copy] of Object.entries(broker.copies)) {
    if (isOfHead(of)) broker.copies[of] = { ...copy, version: again(copy.version) };
  }
  for (const [of, take] of Object.entries(broker.takes)) {
    if (take.head === null || !isOfHead(of)) continue;
    take.head = { ...take.head, version: again(take.head.version) };
  }
}
