import { MetadataError } from "@millrace/core";
import type { Disk, IncarnationId } from "@millrace/core";
import { journalDirectory } from "./journal-files.ts";
import type { JournalItems } from "./journal-item.ts";

/** The end of a journal in files, all of which lies in segments: its item says so, and they go. */
export async function closeJournalItem(of: {
  readonly cluster: { readonly incarnation: IncarnationId };
  readonly items: JournalItems;
  readonly disk: Disk;
  readonly warn: (what: string, cause: unknown) => void;
}): Promise<void> {
  const { cluster, disk, items, warn } = of;
  try {
    await items.close(cluster.incarnation);
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    // The next start finds an open journal without files, replays nothing, and closes it.
    warn("the journal's item could not be closed", error);
    return;
  }
  disk.remove(journalDirectory(cluster.incarnation));
}
