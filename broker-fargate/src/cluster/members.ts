import {
  type BrokerId,
  counterOf,
  type Heartbeat,
  type IncarnationId,
  keys,
  keysUnder,
  type Member,
  type MetadataStore,
  readHeartbeat,
  readMember,
} from "@millrace/core";

/** A member with the newest heartbeat that was read of it. */
export interface HeardMember extends Member {
  readonly heartbeat: Heartbeat;
}

const pageItems = 1000;

/** All heartbeats, by one strong read if there are not very many. Throws MetadataError. */
export async function readHeartbeats(store: MetadataStore): Promise<readonly Heartbeat[]> {
  const heartbeats: Heartbeat[] = [];
  const range = keysUnder("heartbeat", pageItems);
  let from: string | undefined = range.from;
  while (from !== undefined) {
    const page = await store.range({ ...range, from });
    for (const item of page.items) heartbeats.push(readHeartbeat(item));
    from = page.next;
  }
  return heartbeats;
}

/**
 * The incarnations that heartbeat, or did: what their items say is read once, and again for those
 * that are suspected. An item's way from open to closed is one way, so a closed one is not read
 * again; a heartbeat of it is left over, or comes from a process that does not know yet.
 */
export class Members {
  readonly #store: MetadataStore;
  readonly #items = new Map<IncarnationId, Member>();
  #open: readonly HeardMember[] = [];
  #leftOver: readonly IncarnationId[] = [];

  constructor(store: MetadataStore) {
    this.#store = store;
  }

  /** Those whose item is open, ascending by broker id, the older incarnation first. */
  get open(): readonly HeardMember[] {
    return this.#open;
  }

  /** Those that are over, though a heartbeat of them is still there. */
  get leftOver(): readonly IncarnationId[] {
    return this.#leftOver;
  }

  /** Throws MetadataError; then everything is as it was. */
  async update(
    heartbeats: readonly Heartbeat[],
    isSuspect: (incarnation: IncarnationId) => boolean,
  ): Promise<void> {
    const heard = await Promise.all(
      heartbeats.map(async (heartbeat) => ({
        heartbeat,
        member: await this.#member(heartbeat.incarnation, isSuspect),
      })),
    );
    const open: HeardMember[] = [];
    const leftOver: IncarnationId[] = [];
    for (const { heartbeat, member } of heard) {
      if (member?.state === "open") open.push({ ...member, heartbeat });
      else if (member?.state !== "closing") leftOver.push(heartbeat.incarnation);
    }
    this.#open = open.toSorted((a, b) => {
      return a.brokerId - b.brokerId || counterOf(a.incarnation) - counterOf(b.incarnation);
    });
    this.#leftOver = leftOver;
    const listed = new Set(heartbeats.map(({ incarnation }) => incarnation));
    for (const incarnation of this.#items.keys()) {
      if (!listed.has(incarnation)) this.#items.delete(incarnation);
    }
  }

  async #member(
    incarnation: IncarnationId,
    isSuspect: (incarnation: IncarnationId) => boolean,
  ): Promise<Member | undefined> {
    const known = this.#items.get(incarnation);
    const isSure =
      known?.state === "closed" || (known?.state === "open" && !isSuspect(incarnation));
    if (isSure) return known;
    const item = await this.#store.get(keys.incarnation(incarnation));
    const member = item === undefined ? undefined : readMember(item);
    if (member !== undefined) this.#items.set(incarnation, member);
    return member;
  }
}

/** The newest open incarnation of each broker: an older one is over, though it may not know yet. */
export function newestOf(members: readonly HeardMember[]): readonly HeardMember[] {
  const newest = new Map<BrokerId, HeardMember>();
  // Ascending by broker and counter, so the last of a broker is the newest.
  for (const member of members) newest.set(member.brokerId, member);
  return [...newest.values()];
}

/** Whether all of them beside `self` have seen the changes up to the version. */
export function isSeen(
  members: readonly HeardMember[],
  { self, version }: { readonly self: IncarnationId; readonly version: number },
): boolean {
  return members.every(({ heartbeat, incarnation }) => {
    return incarnation === self || heartbeat.seen >= version;
  });
}
