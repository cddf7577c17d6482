/**
 * The way of one topic's messages into the queues of its partitions. Messages enter in the order in
 * which they were sent, also where one has to wait: for its schema, its topic, or for room.
 */
import type { ClusterView } from "../cluster/cluster-view.ts";
import { argumentError, MillraceError } from "../errors.ts";
import { Fifo } from "../fifo.ts";
import { waitingSendsMax } from "../limits.ts";
import type { MessageFormat, UntypedMessage } from "../message.ts";
import { anyBelow, nowMs, withSignal } from "../timing.ts";
import type { PartitionMetadata, TopicMetadata } from "../transport/described.ts";
import type { WireRecord } from "../transport/transport.ts";
import { positiveMurmur2 } from "./murmur2.ts";
import { PartitionQueue } from "./partition-queue.ts";
import { PlacedRecord } from "./placed-record.ts";
import type { Room } from "./room.ts";
import type { Sender } from "./sender.ts";
import type { ProducerSettings } from "./options.ts";

export interface LaneDeps {
  readonly view: ClusterView;
  readonly room: Room;
  readonly sender: Sender;
  readonly settings: ProducerSettings;
}

/** A message on its way in: encoded when it was handed over, whatever its maker does with it next. */
interface Sent {
  readonly record: WireRecord | Promise<WireRecord>;
  readonly partition: number | undefined;
  /** Monotonic. */
  readonly sentMs: number;
}

interface Waiting extends Sent {
  readonly signal: AbortSignal | undefined;
  readonly resolve: (entered: PlacedRecord) => void;
  readonly reject: (error: unknown) => void;
}

interface Entering extends Sent {
  readonly record: WireRecord;
  /** What it has taken of the room. */
  readonly bytes: number;
  /** Monotonic. */
  readonly enteredMs: number;
}

class MissingTopic {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }
}

/** What a record takes beside its key, value and headers. */
const recordOverheadBytes = 32;
/** Producers that each send a record or two would else all begin with the same partition. */
const firstTurnMax = 1_000_000;

export class Lane {
  readonly #topic: string;
  readonly #deps: LaneDeps;
  readonly #queues = new Map<number, PartitionQueue>();
  readonly #waiting = new Fifo<Waiting>();
  #isWalking = false;
  /** Whoever came last: when it has entered, everybody before it has. */
  #lastWaiting: Promise<unknown> | undefined;
  #sticky: PartitionQueue | undefined;
  #turn = anyBelow(firstTurnMax);

  constructor(topic: string, deps: LaneDeps) {
    this.#topic = topic;
    this.#deps = deps;
  }

  /**
   * At once where nothing has to be waited for. A signal ends the wait. Throws, or rejects with, what
   * the message's schemas say, and BUFFER_EXHAUSTED where too many wait already.
   */
  enter(
    format: MessageFormat,
    message: UntypedMessage,
    signal: AbortSignal | undefined,
  ): PlacedRecord | Promise<PlacedRecord> {
    if (this.#waiting.size >= waitingSendsMax) throw exhausted();
    const sentMs = nowMs();
    const record = format.encode(message);
    const { partition } = message;
    if (this.#waiting.size === 0 && !(record instanceof Promise)) {
      const topic = this.#deps.view.latest(this.#topic);
      const bytes = bytesOf(record);
      if (topic !== undefined && this.#deps.room.tryTake(bytes)) {
        return this.#place(topic, { record, partition, bytes, sentMs, enteredMs: sentMs });
      }
    }
    return this.#wait({ record, partition, sentMs }, signal);
  }

  #wait(sent: Sent, signal: AbortSignal | undefined): Promise<PlacedRecord> {
    // It may fail before its turn comes, and is told then.
    if (sent.record instanceof Promise) sent.record.catch(() => undefined);
    const entered = new Promise<PlacedRecord>((resolve, reject) => {
      this.#waiting.push({ ...sent, signal, resolve, reject });
    });
    this.#lastWaiting = entered;
    if (!this.#isWalking) this.#walk().catch(() => undefined);
    return withSignal(entered, signal);
  }

  /** Resolves when every message that waits by now has entered, or was refused. */
  async settled(): Promise<void> {
    await this.#lastWaiting?.catch(() => undefined);
  }

  async #walk(): Promise<void> {
    this.#isWalking = true;
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      try {
        next.signal?.throwIfAborted();
        next.resolve(await this.#enterOne(next));
      } catch (error) {
        if (error instanceof MissingTopic) this.#rejectAll(error.cause);
        else next.reject(error);
      }
      this.#waiting.shift();
    }
    this.#isWalking = false;
    this.#lastWaiting = undefined;
  }

  /** Whoever waits, waits for the same topic: nobody has to find out alone that it does not come. */
  #rejectAll(error: unknown): void {
    for (const { reject } of this.#waiting.drain()) reject(error);
  }

  async #enterOne({ signal, ...sent }: Waiting): Promise<PlacedRecord> {
    const record = await withSignal(Promise.resolve(sent.record), signal);
    await this.#known(signal);
    const bytes = bytesOf(record);
    await this.#deps.room.take(bytes, signal);
    const topic = await this.#known(signal).catch((error: unknown) => {
      this.#deps.room.release(bytes);
      throw error;
    });
    return this.#place(topic, { ...sent, record, bytes, enteredMs: nowMs() });
  }

  async #known(signal: AbortSignal | undefined): Promise<TopicMetadata> {
    const { view } = this.#deps;
    try {
      // Brokers may be away for longer than a topic is waited for: what is sent meanwhile has its time.
      return view.latest(this.#topic) ?? (await view.topic(this.#topic, { signal }));
    } catch (error) {
      throw signal?.aborted === true ? error : new MissingTopic(error);
    }
  }

  /** Gives back its room where it has no place. */
  #place(topic: TopicMetadata, entering: Entering): PlacedRecord {
    const { room, sender, settings } = this.#deps;
    const { bytes, enteredMs, record, sentMs } = entering;
    try {
      const queue = this.#queueOf(topic, entering);
      const deadlineMs = sentMs + settings.deliveryTimeoutMs;
      const placed = new PlacedRecord(record, queue, { room, bytes, deadlineMs });
      sender.added(queue, queue.add(placed, enteredMs));
      return placed;
    } catch (error) {
      room.release(bytes);
      throw error;
    }
  }

  #queueOf({ partitions }: TopicMetadata, entering: Entering): PartitionQueue {
    const { bytes, partition: explicit } = entering;
    const { key } = entering.record;
    if (explicit !== undefined) {
      if (partitions.some(({ partition }) => partition === explicit)) return this.#queue(explicit);
      const count = partitions.length;
      throw argumentError(`topic ${this.#topic} has ${count} partitions, and none ${explicit}`);
    }
    if (key !== null) return this.#queue(positiveMurmur2(key) % partitions.length);
    return this.#anywhere(partitions, bytes);
  }

  /** Records without a key fill the batch that grows, then go on to the next partition (KIP-480). */
  #anywhere(partitions: readonly PartitionMetadata[], bytes: number): PartitionQueue {
    if (this.#sticky?.hasRoomFor(bytes) === true) return this.#sticky;
    if (this.#sticky !== undefined) this.#deps.sender.seal(this.#sticky);
    const led = partitions.filter(({ leader }) => leader >= 0);
    const candidates = led.length > 0 ? led : partitions;
    this.#turn += 1;
    this.#sticky = this.#queue(candidates[this.#turn % candidates.length]?.partition ?? 0);
    return this.#sticky;
  }

  #queue(partition: number): PartitionQueue {
    let queue = this.#queues.get(partition);
    if (queue === undefined) {
      const at = { topic: this.#topic, partition };
      queue = new PartitionQueue(at, this.#deps.settings.batchBytes);
      this.#queues.set(partition, queue);
    }
    return queue;
  }
}

function exhausted(): MillraceError {
  const message = `${waitingSendsMax} sends wait for room already`;
  return new MillraceError({ code: "BUFFER_EXHAUSTED", message, retriable: true });
}

function bytesOf({ key, value, headers }: WireRecord): number {
  let bytes = recordOverheadBytes + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, header] of headers) bytes += name.length + (header?.length ?? 0);
  return bytes;
}
