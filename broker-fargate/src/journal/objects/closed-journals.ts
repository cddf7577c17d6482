import { type IncarnationId, incarnationId } from "@millrace/core";
import type { Crc32c } from "@millrace/wire";
import type { ObjectAccess } from "../../tier/object-access.ts";
import { journalPrefix, journalRoot } from "./journal-keys.ts";
import type { JournalLimits } from "../limits.ts";
import { lookAtSeq } from "./read-objects.ts";

export interface ClosedJournalsDeps {
  readonly objects: ObjectAccess;
  readonly crc32c: Crc32c;
  readonly cluster: string;
  readonly limits: JournalLimits;
}

/**
 * The end of journals in the object store (ownership rules 5 and 8): of an incarnation that is
 * closed, and that no head names as owner or source, everything goes but its fence. The prefix is
 * listed, so that what its owner put too late goes, too. Rejects with ObjectError, or with
 * JournalObjectDamagedError: what is neither an object nor a fence is left to a person.
 */
export class ClosedJournals {
  readonly #deps: ClosedJournalsDeps;

  constructor(deps: ClosedJournalsDeps) {
    this.#deps = deps;
  }

  /** Those of which anything is left, open ones among them. */
  async incarnations(): Promise<ReadonlySet<IncarnationId>> {
    const { cluster, objects } = this.#deps;
    const found = new Set<IncarnationId>();
    const root = journalRoot(cluster);
    for await (const { key } of objects.listAll(root)) {
      const [name = ""] = key.slice(root.length).split("/");
      if (/^[0-9]{1,15}-[0-9a-f]{32}$/.test(name)) found.add(incarnationId(name));
    }
    return found;
  }

  /** How many objects went. */
  async delete(incarnation: IncarnationId): Promise<number> {
    const { cluster, objects } = this.#deps;
    const reads = { ...this.#deps, incarnation };
    let deleted = 0;
    for await (const { key } of objects.listAll(journalPrefix(cluster, incarnation))) {
      const seq = Number(key.slice(key.lastIndexOf("/") + 1));
      // A fence that went would let its owner's next put succeed.
      if ((await lookAtSeq(reads, seq)) !== "object") continue;
      await objects.delete([key]);
      deleted += 1;
    }
    return deleted;
  }
}
