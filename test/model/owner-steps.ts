import {
  type Drop,
  decideCheckpoint,
  decideDrop,
  decideGracefulEnd,
  decideRelease,
  decideTrim,
  epoch,
  checkOpen,
  headNames,
  type IncarnationId,
  type Item,
  type JournalChange,
  moved,
  reassigned,
  readJournalItem,
  slot,
  type Write,
  brokerId,
} from "@millrace/core";
import type { Mutation } from "./mutations.ts";
import {
  born,
  type Broker,
  headItemOf,
  headOf,
  incarnationOfItem,
  journalItemOf,
  leadershipOf,
  objectKey,
  sectionKey,
  transact,
  Violation,
  type World,
  writeLeadership,
} from "./world.ts";

/** One step of one broker. False: it cannot be taken, and nothing changed. */
export interface Actor {
  readonly world: World;
  readonly broker: Broker;
  readonly slot: number;
  readonly mutation: Mutation | undefined;
  /** One of a few alternatives where a step has some. */
  readonly choice: number;
}

/** One record into the log, and its journal entry on the way to the store. */
export function append({ world, broker, slot: of }: Actor): boolean {
  const open = broker.slots[of];
  if (broker.isOver || open === undefined || open.move !== "none") return false;
  world.counts.appends += 1;
  const value = world.counts.appends;
  const records = [[of, open.epoch, open.log.length, value]] as const;
  open.log.push(value);
  broker.waiting.push({ records, isAnswered: false });
  world.net.push({ incarnation: broker.incarnation, seq: broker.next, records });
  broker.next += 1;
  return true;
}

/** A PUT takes effect, if nothing is there (`If-None-Match: *`), and is answered. */
export function land({ world, choice, mutation }: Actor): boolean {
  const flight = world.net[choice];
  if (flight === undefined) return false;
  world.net = world.net.filter((one) => one !== flight);
  const key = objectKey(flight.incarnation, flight.seq);
  if (mutation === "PUT not conditional" || world.objects[key] === undefined) {
    world.objects[key] = flight.records;
  }
  const owner = world.brokers.find((one) => one.incarnation === flight.incarnation);
  const waiting = owner?.waiting[flight.seq - owner.durable];
  if (waiting !== undefined) waiting.isAnswered = true;
  return true;
}

/** The oldest answer: my own bytes are durable and acknowledged, anything else ends me. */
export function acknowledge({ world, broker, mutation }: Actor): boolean {
  if (broker.isOver) return false;
  const isAny = mutation === "acknowledged out of order";
  const place = isAny ? broker.waiting.findIndex((one) => one.isAnswered) : 0;
  const oldest = broker.waiting[place];
  if (oldest === undefined || !oldest.isAnswered) return false;
  const found = world.objects[objectKey(broker.incarnation, broker.durable + place)];
  if (found === undefined || JSON.stringify(found) !== JSON.stringify(oldest.records)) {
    return ended(broker);
  }
  for (const [of, , offset, value] of oldest.records) acknowledgeOne(world, { of, offset, value });
  if (isAny && place > 0) return true;
  broker.waiting.shift();
  broker.durable += 1;
  for (const [of, at, offset] of oldest.records) {
    const open = broker.slots[of];
    if (open?.epoch === at) open.durable = offset + 1;
  }
  return true;
}

function acknowledgeOne(
  world: World,
  { of, offset, value }: { readonly of: number; readonly offset: number; readonly value: number },
): void {
  const acked = world.acked[of] ?? [];
  const before = acked[offset] ?? value;
  if (before !== value) {
    throw new Violation(`slot ${of}: ${before} and ${value} are acknowledged at ${offset}`);
  }
  while (acked.length < offset) acked.push(null);
  acked[offset] = value;
}

/** Everything acknowledged, of every open slot, goes into a checkpoint object. */
export function writeCheckpoint({ world, broker }: Actor): boolean {
  if (broker.isOver || broker.checkpoint !== null) return false;
  if (Object.keys(broker.slots).length === 0) return false;
  world.counts.checkpoints += 1;
  const sections = writtenSections(world, broker);
  const epochs = Object.fromEntries(
    Object.entries(broker.slots).map(([of, open]) => [of, open.epoch]),
  );
  const { durable: upto, number } = broker;
  broker.checkpoint = { number, upto, sections, epochs, step: "written" };
  return true;
}

/** A section replaces the slot's older ones: the index has one line for a slot that is open. */
function writtenSections(world: World, broker: Broker): Broker["sections"] {
  const kept = Object.entries(broker.sections).filter(([key]) => {
    return !Object.keys(broker.slots).some((of) => key.startsWith(`${of}@`));
  });
  const own = Object.entries(broker.slots).map(([of, open]) => {
    return [sectionKey(Number(of), open.epoch), open.log.slice(0, open.durable)] as const;
  });
  const sections = Object.fromEntries([...kept, ...own]);
  writeSections(world, broker, sections);
  return sections;
}

/** A checkpoint object with a number of its own. */
export function writeSections(world: World, broker: Broker, sections: Broker["sections"]): void {
  broker.number += 1;
  world.checkpoints[objectKey(broker.incarnation, broker.number)] = { ...sections };
}

/**
 * Registered, then what it replaces is deleted, then trimmed, then the objects below go: one step
 * at a time.
 */
export function goOnWithCheckpoint(actor: Actor): boolean {
  const { broker, mutation } = actor;
  const at = broker.checkpoint;
  if (broker.isOver || at === null) return false;
  const isEarly = mutation === "trim before the checkpoint is registered";
  switch (isEarly ? earlier[at.step] : at.step) {
    case "written":
      if (registerCheckpoint(actor, at)) at.step = isEarly ? "trimmed" : "registered";
      return true;
    case "registered":
      deleteReplaced(actor);
      at.step = "swept";
      return true;
    case "swept": {
      const isForced = mutation === "trim on a closing journal";
      if (!changeJournal(actor, (item) => decideTrim(item, at.upto), isForced)) return true;
      at.step = isEarly ? "registered" : "trimmed";
      return true;
    }
    case "trimmed":
      eraseBelow(actor, at.upto);
      at.step = "erased";
      return true;
    case "erased":
      broker.checkpoint = null;
      return true;
  }
}

/** The deviation's order: trimmed while it is only written, and registered then. */
const earlier = {
  written: "swept",
  registered: "written",
  swept: "swept",
  trimmed: "trimmed",
  erased: "erased",
} as const;

function registerCheckpoint(
  actor: Actor,
  { number, sections }: { readonly number: number; readonly sections: Broker["sections"] },
): boolean {
  const { broker, mutation } = actor;
  const isForced = mutation === "checkpoint registered on a closing journal";
  const named = { number, bytes: 1 };
  if (!changeJournal(actor, (item) => decideCheckpoint(item, named), isForced)) return false;
  broker.sections = sections;
  return true;
}

/** The owner deletes upwards what trim has passed. */
function eraseBelow({ world, broker }: Actor, upto: number): void {
  for (let seq = 0; seq < upto; seq += 1) {
    const key = objectKey(broker.incarnation, seq);
    if (world.objects[key] !== "fence") delete world.objects[key];
  }
}

/** The newest registered checkpoint leads to all that older ones had. */
function deleteReplaced({ world, broker }: Actor): void {
  const item = journalItemOf(world, broker.incarnation);
  const newest = item === undefined ? 0 : (readJournalItem(item).checkpoint?.number ?? 0);
  for (let number = 1; number < newest; number += 1) {
    delete world.checkpoints[objectKey(broker.incarnation, number)];
  }
}

/** A conditional change of the own item; one that finds it not open ends the incarnation. */
export function changeJournal(
  { world, broker }: Actor,
  decide: (item: Item | undefined) => JournalChange,
  isForced = false,
): boolean {
  const item = journalItemOf(world, broker.incarnation);
  const state = item?.value["state"] ?? "open";
  // The deviation: a decision that takes any journal for an open one.
  const seen = isForced && item ? { ...item, value: { ...item.value, state: "open" } } : item;
  const change = decide(seen);
  if (change.kind === "over") {
    ended(broker);
    return false;
  }
  if (change.kind === "unchanged" || change.write.kind !== "put") return true;
  return transact(world, [{ ...change.write, value: { ...change.write.value, state } }]);
}

/** Rule 11 (g): the sources go when a registered checkpoint holds the slot at this epoch. */
export function dropSources({ world, broker, slot: of, mutation }: Actor): boolean {
  const open = broker.slots[of];
  const at = broker.checkpoint;
  if (broker.isOver || open === undefined || at === null) return false;
  if (at.step === "written" || headOf(world, of)?.sources.length === 0) return false;
  const heldAt = at.epochs[of];
  if (heldAt === undefined) return false;
  const isLoose = mutation === "source dropped for a checkpoint of an earlier epoch";
  const me: Drop = {
    slot: slot(of),
    incarnation: broker.incarnation,
    epoch: epoch(open.epoch),
    heldAt: epoch(isLoose ? open.epoch : heldAt),
    isSpent: () => true,
  };
  const write = decideDrop(headItemOf(world, of), me);
  return write !== undefined && transact(world, [write]);
}

/** A graceful move (rule 14): stop, everything acknowledged, pack, release, leadership. */
export function move(actor: Actor): boolean {
  const { world, broker, slot: of, choice } = actor;
  const open = broker.slots[of];
  if (broker.isOver) return false;
  if (open === undefined) return broker.released[of] === undefined ? false : giveLeadership(actor);
  if (open.move === "none") {
    // Walks begin few moves, and go on with those that they began.
    if (choice > 1) return false;
    world.counts.moves += 1;
    open.move = "stopped";
    return true;
  }
  if (open.move === "stopped") return writePack(actor);
  const release = decideRelease(headItemOf(world, of), ownerOf(actor, open.epoch));
  if (release.kind === "tooManySources") return false;
  if (release.kind === "write" && !commit(actor, release.write)) return true;
  // A head that another has taken means the same here: the slot is not served any more.
  broker.released[of] = open.epoch;
  delete broker.slots[of];
  return true;
}

function writePack(actor: Actor): boolean {
  const { world, broker, slot: of, mutation } = actor;
  const open = broker.slots[of];
  if (open === undefined) return false;
  const isEarly = mutation === "released before everything is acknowledged";
  if (!isEarly && open.durable < open.log.length) return false;
  // Checkpoints of one incarnation are registered one after another.
  const isEarlyTrim = mutation === "trim before the checkpoint is registered";
  if (broker.checkpoint?.step === "written" || (isEarlyTrim && broker.checkpoint)) return false;
  const sections = writtenSections(world, broker);
  const isUnregistered = mutation === "released before the pack is registered";
  if (isUnregistered || registerCheckpoint(actor, { number: broker.number, sections }))
    open.move = "packed";
  return true;
}

function giveLeadership({ world, broker, slot: of, choice }: Actor): boolean {
  const before = leadershipOf(world);
  const others = world.brokers.filter((one) => one !== broker && !one.isOver);
  const to = [broker, ...others][choice % (others.length + 1)] ?? broker;
  const receiver = { brokerId: brokerId(to.id), incarnation: to.incarnation };
  const slots = [slot(of)];
  const after =
    to === broker
      ? reassigned(before, { ...receiver, slots })
      : moved(before, { slots, from: broker.incarnation, to: receiver });
  delete broker.released[of];
  if (after !== "unchanged") writeLeadership(world, after);
  return true;
}

export function ownerOf(
  { broker, slot: of }: Actor,
  at: number,
): { slot: Drop["slot"]; incarnation: IncarnationId; epoch: Drop["epoch"] } {
  return { slot: slot(of), incarnation: broker.incarnation, epoch: epoch(at) };
}

/** A head's write, together with the check that the own journal is open. */
export function commit(actor: Actor, write: Write): boolean {
  const { world, broker, mutation } = actor;
  const item = journalItemOf(world, broker.incarnation);
  if (mutation === "claim without a check of the own journal") return transact(world, [write]);
  if (item === undefined || readJournalItem(item).state !== "open") {
    ended(broker);
    return false;
  }
  return transact(world, [write, checkOpen(item)]);
}

export function ended(broker: Broker): true {
  broker.isOver = true;
  broker.slots = {};
  broker.takes = {};
  return true;
}

/** Ends in good order: it serves nothing any more, and nothing is on its way. */
export function leave(actor: Actor): boolean {
  const { world, broker } = actor;
  const isBusy = broker.waiting.length > 0 || broker.checkpoint !== null;
  const isServing = Object.keys(broker.slots).length + Object.keys(broker.takes).length > 0;
  if (broker.isOver || isBusy || isServing) return false;
  world.counts.crashes += 1;
  changeJournal(actor, (item) => decideGracefulEnd(item, broker.next));
  return ended(broker);
}

/** Dies, and begins anew; what it sent may still take effect. */
export function crash({ world, broker }: Actor): boolean {
  if (broker.isOver) return false;
  world.counts.crashes += 1;
  world.brokers[world.brokers.indexOf(broker)] = born(world, broker.id);
  return true;
}

/** Knows that its incarnation is over, and begins a new one. */
export function restart({ world, broker }: Actor): boolean {
  if (!broker.isOver) return false;
  world.brokers[world.brokers.indexOf(broker)] = born(world, broker.id);
  return true;
}

/** Rule 8: what is left of a closed incarnation that no head names; the fence stays. */
export function bury({ world, choice, mutation }: Actor): boolean {
  const closed = Object.values(world.items).filter((item) => item.value["state"] === "closed");
  const item = closed[choice % Math.max(1, closed.length)];
  if (item === undefined) return false;
  const incarnation = incarnationOfItem(item.key);
  const isNamed = Array.from({ length: world.slots }, (_, of) => headOf(world, of)).some(
    (head) => head !== undefined && headNames(head, incarnation),
  );
  if (isNamed && mutation !== "dead journal deleted while a head names it") return false;
  for (const [key, object] of Object.entries(world.objects)) {
    if (key.startsWith(`${incarnation}/`) && object !== "fence") delete world.objects[key];
  }
  for (const key of Object.keys(world.checkpoints)) {
    if (key.startsWith(`${incarnation}/`)) delete world.checkpoints[key];
  }
  delete world.items[item.key];
  return true;
}
