import type { AppendJournal } from "../journal/append-journal.ts";
import type { PartitionOwner } from "../partition/owner.ts";

/**
 * Up to where no restart will look at a partition's log again: neither verify it from its dirty
 * mark's recovery point, nor cut it at its first entry in the journal. Only below it compaction may
 * leave gaps between offsets; above, a recovery would take them for lost records.
 *
 * Which entries the journal still has of a partition nobody keeps. So the log's end is remembered
 * together with the journal's seq: every record below that end has a lower seq, and once the trim has
 * passed it, durably, no replay begins below that end.
 */
export class SettledOffset {
  #untrimmed: { readonly endOffset: number; readonly seq: number } | undefined;
  #trimmedTo = 0;

  /** To be called now and then: what it says never falls, and lags behind by a call or two. */
  look(owner: PartitionOwner, journal: Pick<AppendJournal, "nextSeq" | "trim">): number {
    const { endOffset } = owner.log;
    if (this.#untrimmed !== undefined && journal.trim >= this.#untrimmed.seq) {
      this.#trimmedTo = this.#untrimmed.endOffset;
      this.#untrimmed = undefined;
    }
    if (journal.trim >= journal.nextSeq) {
      this.#trimmedTo = endOffset;
      this.#untrimmed = undefined;
    }
    if (this.#trimmedTo < endOffset) this.#untrimmed ??= { endOffset, seq: journal.nextSeq };
    return Math.min(this.#trimmedTo, owner.log.recoveryPoint, owner.mark.recoveryPoint);
  }
}
