/**
 * A member of a group, by the classic protocol with eager rebalances:
 *
 *   join → sync → (assigned) → heartbeats → a rebalance → (revoked) → join …
 *
 * `revoked` is awaited before the next join, so whoever gets the partitions finds the offsets of
 * everything that was processed. Where the broker has put the member out, there is nothing to
 * commit any more: `lost`. Heartbeats go on while `assigned` and `revoked` run: they may take a while.
 * What may pass is tried again without end; what can't is thrown out of `run`.
 */
import type { ClusterView } from "../cluster/cluster-view.ts";
import { BrokerError, MillraceError } from "../errors.ts";
import { metadataAgeMsMax } from "../limits.ts";
import { backoffMs, nowMs, sleep, withSignal } from "../timing.ts";
import type { TopicPartition } from "../transport/described.ts";
import type {
  GroupIdentity,
  GroupMemberTopics,
  GroupTransport,
  JoinResult,
} from "../transport/transport.ts";
import { assignorName, assignRanges } from "./assignor.ts";
import type { ConsumerSettings } from "./options.ts";

export interface GroupMemberDeps {
  /** For what a broker answers when the group is complete. */
  readonly joining: GroupTransport;
  readonly groups: GroupTransport;
  readonly view: ClusterView;
  readonly settings: ConsumerSettings & { readonly group: string };
  readonly assigned: (partitions: readonly TopicPartition[]) => Promise<void>;
  readonly revoked: () => Promise<void>;
  readonly lost: () => Promise<void>;
}

type Joined = Extract<JoinResult, { readonly kind: "joined" }>;
type Departure = "rebalance" | "lost";

/** What a member does about an error of the group: codes that are not here are tried again, or fatal. */
const departures: ReadonlyMap<string, Departure> = new Map([
  ["REBALANCE_IN_PROGRESS", "rebalance"],
  ["ILLEGAL_GENERATION", "lost"],
  ["UNKNOWN_MEMBER_ID", "lost"],
]);

export class GroupMember {
  readonly #deps: GroupMemberDeps;
  readonly #stop = new AbortController();
  #memberId = "";
  #generation = -1;
  #counts: ReadonlyMap<string, number> | undefined;
  #countedMs = 0;

  constructor(deps: GroupMemberDeps) {
    this.#deps = deps;
  }

  get identity(): GroupIdentity {
    const { group, instanceId } = this.#deps.settings;
    return { group, instanceId, memberId: this.#memberId, generation: this.#generation };
  }

  /** Resolves after `stop`. Rejects with what can't be tried again. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    try {
      while (!signal.aborted) await this.#oneGeneration(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** No more joins and heartbeats. */
  stop(): void {
    this.#stop.abort();
  }

  /** Tells the group, which then needs not wait for the session's end. A static member stays. */
  async leave(): Promise<void> {
    if (this.#memberId === "" || this.#deps.settings.instanceId !== null) return;
    await this.#deps.groups.leave(this.identity);
  }

  async #oneGeneration(signal: AbortSignal): Promise<void> {
    const partitions = await this.#patiently((attempt) => this.#join(attempt), signal);
    if (partitions === undefined) return;
    await this.#beating(() => this.#deps.assigned(partitions));
    const departure = await this.#stay(signal);
    if (departure === "lost") {
      await this.#deps.lost();
      return;
    }
    await this.#beating(() => this.#deps.revoked());
  }

  /** Heartbeats while something else takes its time. What they say, the next one says again. */
  async #beating<T>(work: () => Promise<T>): Promise<T> {
    const done = new AbortController();
    const beats = this.#beatUntil(done.signal);
    try {
      return await work();
    } finally {
      done.abort();
      await beats;
    }
  }

  /** Until it succeeds, or the group says that it has to join anew: then undefined. */
  async #patiently<T>(
    call: (attempt: number) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await withSignal(call(attempt), signal);
      } catch (error) {
        if (signal.aborted || !(error instanceof MillraceError)) throw error;
        if (this.#departure(error) !== undefined) return undefined;
        if (!error.retriable) throw error;
        await sleep(backoffMs(attempt), signal);
      }
    }
  }

  #departure(error: unknown): Departure | undefined {
    if (!(error instanceof MillraceError)) return undefined;
    if (error.code === "UNKNOWN_MEMBER_ID") this.#memberId = "";
    return departures.get(error.code);
  }

  async #join(attempt: number): Promise<readonly TopicPartition[]> {
    const { joining, settings, view } = this.#deps;
    for (const topic of settings.topics) await view.topic(topic).catch(giveUpIfMissing);
    const { group, instanceId, sessionTimeoutMs, rebalanceTimeoutMs, topics } = settings;
    const result = await joining.join({
      ...{ group, instanceId, sessionTimeoutMs, rebalanceTimeoutMs, topics },
      ...{ memberId: this.#memberId, assignor: assignorName },
    });
    this.#memberId = result.memberId;
    if (result.kind === "member id") return this.#join(attempt);
    this.#generation = result.generation;
    const assignments = result.leads ? await this.#assign(result) : [];
    if (!result.leads) this.#counts = undefined;
    return joining.sync(this.identity, assignorName, assignments);
  }

  async #assign({ members }: Joined): Promise<ReturnType<typeof assignRanges>> {
    this.#counts = await this.#count(members);
    return assignRanges(members, this.#counts);
  }

  async #count(members: readonly GroupMemberTopics[]): Promise<ReadonlyMap<string, number>> {
    const names = [...new Set(members.flatMap(({ topics }) => topics))].sort();
    const counts = new Map<string, number>();
    for (const name of names) {
      this.#deps.view.forget(name);
      // Another member may want a topic that is not there: it has no partitions.
      const topic = await this.#deps.view.topic(name).catch(nothingIfRefused);
      if (topic !== undefined) counts.set(name, topic.partitions.length);
    }
    this.#countedMs = nowMs();
    return counts;
  }

  /** Heartbeats until the group does not let this generation be. */
  async #stay(signal: AbortSignal): Promise<Departure> {
    const { heartbeatIntervalMs } = this.#deps.settings;
    for (;;) {
      await sleep(heartbeatIntervalMs, signal);
      const departure = await this.#beat(signal);
      if (departure !== undefined) return departure;
      const before = this.#counts;
      if (before === undefined || nowMs() - this.#countedMs < metadataAgeMsMax) continue;
      const counting = (): Promise<boolean> => withSignal(this.#hasNewPartitions(before), signal);
      if (await this.#beating(counting)) return "rebalance";
    }
  }

  async #beat(signal: AbortSignal): Promise<Departure | undefined> {
    try {
      await withSignal(this.#deps.groups.heartbeat(this.identity), signal);
      return undefined;
    } catch (error) {
      if (signal.aborted) throw error;
      const departure = this.#departure(error);
      const isPassing = error instanceof MillraceError && error.retriable;
      if (departure === undefined && !isPassing) throw error;
      return departure;
    }
  }

  async #beatUntil(signal: AbortSignal): Promise<void> {
    const { heartbeatIntervalMs } = this.#deps.settings;
    while (!signal.aborted) {
      await sleep(heartbeatIntervalMs, signal).catch(() => undefined);
      if (!signal.aborted) await this.#beat(signal).catch(() => undefined);
    }
  }

  /** The leader looks now and then whether a topic has grown: then it has to assign anew. */
  async #hasNewPartitions(before: ReadonlyMap<string, number>): Promise<boolean> {
    const topics = [...before.keys()];
    const after = await this.#count([{ memberId: "", instanceId: null, topics }]).catch(
      () => before,
    );
    return topics.some((topic) => after.get(topic) !== before.get(topic));
  }
}

/** A broker has said that there is no such topic for us. That none answers says nothing of the topic. */
function nothingIfRefused(error: unknown): undefined {
  const isRefused =
    error instanceof BrokerError &&
    (!error.retriable || error.code === "UNKNOWN_TOPIC_OR_PARTITION");
  if (!isRefused) throw error;
}

/** A topic that nobody has is said, and not waited for in silence. */
function giveUpIfMissing(error: unknown): never {
  if (error instanceof BrokerError && error.code === "UNKNOWN_TOPIC_OR_PARTITION") {
    const { code, message } = error;
    throw new BrokerError({ code, message, retriable: false, cause: error });
  }
  throw error;
}
