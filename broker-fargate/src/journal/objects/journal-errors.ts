/** What a reader of an incarnation's journal finds that must never be taken for its end. */

/**
 * An object between trim and end is not there. Whoever reads looks whether it still may: after
 * others finished with the journal its objects go. If it may, acknowledged records are lost
 * (ownership rule 11): an alarm, and their partitions stay offline.
 */
export class JournalObjectMissingError extends Error {
  override readonly name = "JournalObjectMissingError";
  readonly key: string;

  constructor(key: string) {
    super(`journal object ${key} is missing`);
    this.key = key;
  }
}

/** What is there is damaged, of a newer format, or not of this journal: a person has to look. */
export class JournalObjectDamagedError extends Error {
  override readonly name = "JournalObjectDamagedError";
  readonly key: string;

  constructor(key: string, what: string) {
    super(`journal object ${key}: ${what}`);
    this.key = key;
  }
}

/** There is no item of the incarnation: nobody needs its journal any more, or metadata is lost. */
export class IncarnationMissingError extends Error {
  override readonly name = "IncarnationMissingError";
}
