/**
 * The way of one topic's messages into the queues of its partitions. Messages enter in the order in
 * which they were sent, also where one has to wait: for its schema, its topic, or for room.
 */
import type { ClusterView } from "../cluster/cluster-view.ts";
import { argumentError } from "../errors.ts";
import { Fifo } from "../fifo.ts";
import type { MessageFormat, UntypedMessage } from "../message.ts";
import { nowMs, withSignal } from "../timing.ts";
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

interface Waiting {
  readonly format: MessageFormat;
  readonly message: UntypedMessage;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (entered: PlacedRecord) => void;
  readonly reject: (error: unknown) => void;
}

interface Sent {
  readonly bytes: number;
  readonly now: number;
  readonly partition: number | undefined;
}

class MissingTopic {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }
}

/** What a record takes beside its key, value and headers. */
const recordOverheadBytes = 32;

export class Lane {
  readonly #topic: string;
  readonly #deps: LaneDeps;
  readonly #queues = new Map<number, PartitionQueue>();
  readonly #waiting = new Fifo<Waiting>();
  #walking: Promise<void> | undefined;
  #sticky: PartitionQueue | undefined;
  #turn = 0;

  constructor(topic: string, deps: LaneDeps) {
    this.#topic = topic;
    this.#deps = deps;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Enters at once where nothing has to be waited for. */
  tryEnter(format: MessageFormat, message: UntypedMessage): PlacedRecord | undefined {
    if (this.#waiting.size > 0) return undefined;
    const now = nowMs();
    const topic = this.#deps.view.peek(this.#topic, now);
    if (topic === undefined) return undefined;
    const record = format.encode(message);
    if (record instanceof Promise) {
      // It is encoded again when its turn comes; this outcome is nobody's.
      record.catch(() => undefined);
      return undefined;
    }
    const bytes = bytesOf(record);
    if (!this.#deps.room.tryTake(bytes)) return undefined;
    return this.#place(topic, record, { bytes, now, partition: message.partition });
  }

  enter(
    format: MessageFormat,
    message: UntypedMessage,
    signal: AbortSignal | undefined,
  ): Promise<PlacedRecord> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ format, message, signal, resolve, reject });
      this.#walking ??= this.#walk();
    });
  }

  /** Resolves when every message that waits by now has entered, or was refused. */
  async settled(): Promise<void> {
    await this.#walking;
  }

  async #walk(): Promise<void> {
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
    this.#walking = undefined;
  }

  /** Whoever waits, waits for the same topic: nobody has to find out alone that it does not come. */
  #rejectAll(error: unknown): void {
    for (const { reject } of this.#waiting.drain()) reject(error);
  }

  async #enterOne({ format, message, signal }: Waiting): Promise<PlacedRecord> {
    const { room } = this.#deps;
    const record = await withSignal(Promise.resolve(format.encode(message)), signal);
    await this.#known(signal);
    const bytes = bytesOf(record);
    await room.take(bytes, signal);
    try {
      return this.#place(await this.#known(signal), record, {
        bytes,
        now: nowMs(),
        partition: message.partition,
      });
    } catch (error) {
      room.release(bytes);
      throw error;
    }
  }

  async #known(signal: AbortSignal | undefined): Promise<TopicMetadata> {
    try {
      return await this.#deps.view.topic(this.#topic, { signal });
    } catch (error) {
      throw signal?.aborted === true ? error : new MissingTopic(error);
    }
  }

  #place(topic: TopicMetadata, record: WireRecord, sent: Sent): PlacedRecord {
    const queue = this.#queueOf(topic, record, sent);
    const { room, sender, settings } = this.#deps;
    const { bytes, now } = sent;
    const deadlineMs = now + settings.deliveryTimeoutMs;
    const placed = new PlacedRecord(record, queue, { room, bytes, deadlineMs });
    sender.added(queue, queue.add(placed, now));
    return placed;
  }

  #queueOf(
    { partitions }: TopicMetadata,
    { key }: WireRecord,
    { bytes, partition: explicit }: Sent,
  ): PartitionQueue {
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

function bytesOf({ key, value, headers }: WireRecord): number {
  let bytes = recordOverheadBytes + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, header] of headers) bytes += name.length + (header?.length ?? 0);
  return bytes;
}
