import { readJournalItem, type Source } from "@millrace/core";
import type { Actor } from "./owner-steps.ts";
import {
  journalItemOf,
  objectKey,
  sectionKey,
  type SourceFacts,
  Violation,
  type World,
} from "./world.ts";

/** The items of the sources, as they are now. */
export function lookAt(world: World, sources: readonly Source[]): readonly SourceFacts[] {
  return sources.map(({ incarnation, epoch, released }) => {
    const item = journalItemOf(world, incarnation);
    if (item === undefined) throw new Violation(`the item of a source is gone: ${incarnation}`);
    const { checkpoint, end, state, trim } = readJournalItem(item);
    return {
      incarnation,
      epoch,
      isReleased: released === true,
      isFrozen: state !== "open",
      trim,
      end: end ?? trim,
      checkpoint: checkpoint?.number ?? null,
    };
  });
}

/**
 * The slot's log out of its sources. A section holds the whole slot up to its epoch, so the newest
 * source that has one begins, and older ones are not looked at; then its journal and those of the
 * newer ones, of each only the entries of its epoch.
 */
export function replay(actor: Actor, sources: readonly SourceFacts[]): number[] | "again" {
  const isOldestFirst = actor.mutation === "replay begins with the oldest source";
  let log: number[] = [];
  let first = 0;
  for (const [place, source] of sources.entries()) {
    const section = sectionOf(actor, source);
    if (section === "again") return "again";
    if (section === undefined || isOldestFirst) continue;
    log = [...section];
    first = place;
  }
  for (const [place, source] of sources.entries()) {
    if (place < first) continue;
    const section = sectionOf(actor, source);
    if (section === "again") return "again";
    if (isOldestFirst && section !== undefined && section.length > log.length) log = [...section];
    if (!source.isReleased) applyJournal(actor, log, source);
    else if (section === undefined && !isOldestFirst) {
      throw new Violation(`${source.incarnation} released without a section`);
    }
  }
  return log;
}

function sectionOf(
  { world, slot: of, mutation }: Actor,
  source: SourceFacts,
): readonly number[] | "again" | undefined {
  const { incarnation, epoch, checkpoint } = source;
  if (checkpoint === null) return undefined;
  const sections = world.checkpoints[objectKey(incarnation, checkpoint)];
  if (sections === undefined) return missing(world, source);
  if (mutation !== "replay ignores the source's epoch") return sections[sectionKey(of, epoch)];
  const any = Object.keys(sections).findLast((key) => key.startsWith(`${of}@`));
  return any === undefined ? undefined : sections[any];
}

/** An incarnation that was open at the look may have replaced its checkpoint since. */
function missing(world: World, { incarnation, checkpoint, isFrozen }: SourceFacts): "again" {
  const item = journalItemOf(world, incarnation);
  const now = item === undefined ? undefined : readJournalItem(item).checkpoint;
  if (!isFrozen && (now?.number ?? 0) > (checkpoint ?? 0)) return "again";
  throw new Violation(`checkpoint ${checkpoint} of ${incarnation} is gone`);
}

function applyJournal(
  { world, slot: of, mutation }: Actor,
  log: number[],
  source: SourceFacts,
): void {
  const { incarnation, epoch, trim, end } = source;
  for (let seq = trim; seq < end; seq += 1) {
    const object = world.objects[objectKey(incarnation, seq)];
    if (object === undefined || object === "fence") {
      throw new Violation(`${incarnation}/${seq} is missing below its end`);
    }
    for (const [slot, at, offset, value] of object) {
      const isOfSource = at === epoch || mutation === "replay ignores the source's epoch";
      if (slot !== of || !isOfSource) continue;
      if (offset > log.length) throw new Violation(`a gap before ${offset} in slot ${of}`);
      if (offset === log.length) log.push(value);
      else if (log[offset] !== value) {
        throw new Violation(`slot ${of}: ${log[offset]} and ${value} at ${offset}`);
      }
    }
  }
}
