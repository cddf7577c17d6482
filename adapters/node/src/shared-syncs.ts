/** A sync under way, and the one that begins after it for whoever came meanwhile. */
interface Syncs {
  readonly running: Promise<void>;
  next?: Promise<void>;
}

/**
 * Syncs by path, one after another for each: many files of a folder that are made side by side want its
 * names durable once, not once each. What was done before a call is covered by a sync that begins
 * after it, never by one that is under way.
 */
export class SharedSyncs {
  readonly #sync: (path: string) => Promise<void>;
  readonly #ofPath = new Map<string, Syncs>();

  constructor(sync: (path: string) => Promise<void>) {
    this.#sync = sync;
  }

  /** Settles as the sync does that began after the call. */
  run(path: string): Promise<void> {
    const syncs = this.#ofPath.get(path);
    if (syncs === undefined) return this.#begin(path);
    const begin = (): Promise<void> => this.#begin(path);
    syncs.next ??= syncs.running.then(begin, begin);
    return syncs.next;
  }

  #begin(path: string): Promise<void> {
    const syncs: Syncs = { running: this.#sync(path) };
    this.#ofPath.set(path, syncs);
    const end = (): void => {
      if (syncs.next === undefined) this.#ofPath.delete(path);
    };
    syncs.running.then(end, end);
    return syncs.running;
  }
}
