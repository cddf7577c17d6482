import {
  type Claim,
  type Claimant,
  decideCheckpoint,
  decideClaim,
  decideClosed,
  decideClosing,
  type Head,
  type IncarnationId,
  type Item,
  type JournalChange,
  leaderOf,
  readHead,
  readJournalItem,
  slot,
  type Source,
  sourcesMax,
  takenFrom,
  brokerId,
  epoch,
  type Leadership,
} from "@millrace/core";
import { type Actor, changeJournal, commit, ownerOf, writeSections } from "./owner-steps.ts";
import { lookAt, replay } from "./replay.ts";
import {
  headItemOf,
  headOf,
  journalItemOf,
  leadershipOf,
  objectKey,
  sectionKey,
  type Take,
  transact,
  type World,
  writeLeadership,
} from "./world.ts";

/** Leadership takes the slots of the slot's leader from it, dead or alive. */
export function suspect(actor: Actor): boolean {
  const { world, broker, choice } = actor;
  if (broker.isOver) return false;
  const before = leadershipOf(world);
  const victim = leaderOf(before, slot(actor.slot))?.incarnation;
  if (victim === broker.incarnation) return false;
  const others = world.brokers.filter(
    (one) => one !== broker && !one.isOver && one.incarnation !== victim && choice % 2 === 1,
  );
  const after = takenFrom(before, {
    by: broker.incarnation,
    isDead: (one) => one === victim,
    receivers: [broker, ...others].map((one) => {
      return { brokerId: brokerId(one.id), incarnation: one.incarnation };
    }),
  });
  if (after === "unchanged") return false;
  world.counts.suspicions += 1;
  writeLeadership(world, actor.mutation === "epoch used again" ? reused(before, after) : after);
  return true;
}

/** The same of a leader that is dead in fact, or over. */
export function replace(actor: Actor): boolean {
  const leader = leaderOf(leadershipOf(actor.world), slot(actor.slot))?.incarnation;
  const isAlive = actor.world.brokers.some((one) => one.incarnation === leader && !one.isOver);
  return !isAlive && suspect(actor);
}

/** The deviation: who takes a slot gets the epoch that was there. */
function reused(before: Leadership, after: Leadership): Leadership {
  const leaders = after.leaders.map((leader, of) => {
    const old = before.leaders[of]?.epoch;
    return leader === undefined || old === undefined ? leader : { ...leader, epoch: old };
  });
  return { ...after, epoch: before.epoch, leaders };
}

/** One step of taking a slot over, in the order of rule 11; whoever takes it may be paused between. */
export function take(actor: Actor): boolean {
  const { broker, slot: of } = actor;
  const at = broker.takes[of];
  if (broker.isOver) return false;
  if (at === undefined) return begin(actor);
  switch (at.step) {
    case "close":
      return close(actor, at);
    case "fence":
      return fence(actor, at);
    case "end":
      return end(actor, at);
    case "copy":
      return copyFirst(actor, at);
    case "claim":
      return claim(actor, at);
    case "look":
      return look(actor, at);
    case "replay":
      return serve(actor, at);
  }
}

/** What it had begun is dropped; it begins again, with what leadership says then. */
export function forget({ broker, slot: of }: Actor): boolean {
  if (broker.takes[of] === undefined) return false;
  delete broker.takes[of];
  return true;
}

function begin(actor: Actor): boolean {
  const { world, broker, slot: of } = actor;
  const leader = leaderOf(leadershipOf(world), slot(of));
  if (leader?.incarnation !== broker.incarnation || broker.slots[of] !== undefined) return false;
  const head = headItemOf(world, of) ?? null;
  const decided = decide(actor, { epoch: leader.epoch, head });
  const begun = { epoch: leader.epoch, head, at: 0, facts: [] } as const;
  const step = stepAfter(decided);
  if (step === undefined) return false;
  broker.takes[of] = { ...begun, step };
  return true;
}

function stepAfter(decided: Claim): Take["step"] | undefined {
  switch (decided.kind) {
    case "held":
      return "look";
    case "write":
      return "claim";
    case "fenceFirst":
      return "close";
    case "tooManySources":
    case "copyAgain":
      return "copy";
    default:
      return undefined;
  }
}

function decide(actor: Actor, at: Pick<Take, "epoch" | "head">): Claim {
  const isEager = actor.mutation === "claim before the owner's journal is closed";
  const copy = actor.broker.copies[actor.slot];
  const isOfEpoch = copy?.epoch === at.epoch;
  const isLoose = actor.mutation === "claim over a copy of an older head";
  const isCounted = isOfEpoch && (!isLoose || copy.version === at.head?.version);
  const me: Claimant = {
    ...ownerOf(actor, at.epoch),
    ...(isCounted ? { copiedVersion: copy.version } : {}),
    isSpent: () => false,
    isOver: (incarnation) => isEager || isClosed(actor.world, incarnation),
  };
  const claim = decideClaim(at.head ?? undefined, me);
  const isBlind = actor.mutation === "a source copies before its claim" && !isCounted;
  return isBlind && listsTooMany(claim) ? { kind: "tooManySources" } : claim;
}

/** As only a claim of one that is a source itself does. */
function listsTooMany(claim: Claim): boolean {
  if (claim.kind !== "write" || claim.write.kind !== "put") return false;
  const { key, value } = claim.write;
  return readHead({ key, version: 0, value }).sources.length > sourcesMax;
}

function isClosed(world: World, incarnation: IncarnationId): boolean {
  const item = journalItemOf(world, incarnation);
  return item === undefined || readJournalItem(item).state === "closed";
}

function formerOwner(at: Take): IncarnationId | undefined {
  return at.head === null ? undefined : readHead(at.head).owner;
}

/** A change of the former owner's item; false where it is gone, and so is the need for it. */
function changeOwner(
  { world, broker, slot: of }: Actor,
  at: Take,
  decided: (item: Item | undefined) => JournalChange,
): boolean {
  const owner = formerOwner(at);
  const item = owner === undefined ? undefined : journalItemOf(world, owner);
  const change = decided(item);
  if (change.kind === "over") {
    delete broker.takes[of];
    return false;
  }
  if (change.kind === "write") transact(world, [change.write]);
  return true;
}

/** (b): trim and checkpoint are frozen. */
function close(actor: Actor, at: Take): boolean {
  if (!changeOwner(actor, at, decideClosing)) return true;
  const owner = formerOwner(at);
  const item = owner === undefined ? undefined : journalItemOf(actor.world, owner);
  at.at = item === undefined ? 0 : readJournalItem(item).trim;
  at.step = "fence";
  return true;
}

/** (c): the fence goes to the first seq where nothing is. */
function fence({ world, mutation }: Actor, at: Take): boolean {
  const owner = formerOwner(at);
  if (owner === undefined) return false;
  const key = objectKey(owner, at.at);
  const found = world.objects[key];
  if (found !== undefined && found !== "fence") {
    at.at += 1;
    return true;
  }
  if (mutation !== "fence skipped") world.objects[key] = "fence";
  at.step = "end";
  return true;
}

/** (d) */
function end(actor: Actor, at: Take): boolean {
  if (changeOwner(actor, at, (item) => closedAt(item, at.at))) {
    at.step = stepAfter(decide(actor, at)) ?? "claim";
  }
  return true;
}

/** Two takers without a fence find two ends; the first one counts, and the search goes on. */
function closedAt(item: Item | undefined, at: number): JournalChange {
  const closed = item === undefined ? undefined : readJournalItem(item);
  return closed?.state === "closed" ? { kind: "unchanged" } : decideClosed(item, at);
}

/** A fifth source: what the sources have goes into an own checkpoint before the claim. */
function copyFirst(actor: Actor, at: Take): boolean {
  const { world, broker, slot: of } = actor;
  if (at.head === null || broker.checkpoint !== null) return false;
  const head = readHead(at.head);
  const owner = head.owner;
  const last: readonly Source[] =
    owner === undefined ? [] : [{ incarnation: owner, epoch: head.epoch }];
  const sources = [...head.sources, ...last];
  // The head as it was read: once it is another's, what its sources were may be gone.
  if (headItemOf(world, of)?.version !== at.head.version) return forget(actor);
  const log = replay(actor, lookAt(world, sources));
  if (log === "again") return true;
  // A checkpoint has one section of a slot.
  const kept = Object.entries(broker.sections).filter(([key]) => !key.startsWith(`${of}@`));
  const sections = { ...Object.fromEntries(kept), [sectionKey(of, at.epoch)]: log };
  writeSections(world, broker, sections);
  const named = { number: broker.number, bytes: 1 };
  if (!changeJournal(actor, (item) => decideCheckpoint(item, named))) return true;
  broker.sections = sections;
  broker.copies[of] = { epoch: at.epoch, version: at.head.version };
  at.step = "claim";
  return true;
}

/** (e): on condition of the head exactly as it was read, and of the own journal being open. */
function claim(actor: Actor, at: Take): boolean {
  const { broker, slot: of, mutation } = actor;
  const decided = decide(actor, at);
  if (decided.kind !== "write") return forget(actor);
  const isLoose = mutation === "claim not conditional on the head as read";
  const { write } = decided;
  const { kind, key } = write;
  const value = kind === "put" ? write.value : {};
  const written = commit(actor, isLoose ? { kind: "put", key, value } : write);
  if (broker.isOver) return true;
  if (!written) return forget(actor);
  // One in eight replies is lost: the taker begins again, and finds that it holds the head.
  if (actor.choice === 7) delete broker.takes[of];
  else at.step = "look";
  return true;
}

function ownHead(actor: Actor, at: Take): Head | undefined {
  const head = headOf(actor.world, actor.slot);
  const isOwn = head?.owner === actor.broker.incarnation && head.epoch === at.epoch;
  return isOwn ? head : undefined;
}

/** (f): what the sources' items tell. */
function look(actor: Actor, at: Take): boolean {
  const head = ownHead(actor, at);
  if (head === undefined) return forget(actor);
  at.facts = lookAt(actor.world, head.sources);
  at.step = "replay";
  return true;
}

function serve(actor: Actor, at: Take): boolean {
  const { broker, slot: of } = actor;
  if (ownHead(actor, at) === undefined) return forget(actor);
  // What was copied before the claim is no source: the own checkpoint has it, at this very epoch.
  const copied = broker.sections[sectionKey(of, at.epoch)];
  const log = copied === undefined ? replay(actor, at.facts) : [...copied];
  if (log === "again") {
    at.step = "look";
    return true;
  }
  broker.slots[of] = { epoch: epoch(at.epoch), log, durable: log.length, move: "none" };
  delete broker.takes[of];
  return true;
}
