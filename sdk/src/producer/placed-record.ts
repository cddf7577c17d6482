/**
 * A record on its way, from when it has entered a queue until it is acknowledged or has failed. The
 * promise of its fate is made when somebody asks for it: most of what is enqueued is never asked for.
 */
import type { MillraceError } from "../errors.ts";
import type { TopicPartition } from "../transport/described.ts";
import type { WireRecord } from "../transport/transport.ts";
import type { Room } from "./room.ts";

/**
 * Where a record has come to lie.
 *
 * @example
 * ```ts
 * import { connect, type RecordMetadata, string } from "@millrace/sdk";
 *
 * const show = ({ topic, partition, offset }: RecordMetadata): string =>
 *   `${topic}-${partition}@${offset}`;
 * await using client = connect({ brokers: ["localhost:9092"] });
 * console.log(show(await client.topic("lines", { value: string() }).send({ value: "hello" })));
 * ```
 */
export interface RecordMetadata extends TopicPartition {
  /** -1 where the broker took the record for one that it has since long. */
  readonly offset: number;
  /** Milliseconds since 1970; the broker's own where the topic has LogAppendTime. */
  readonly timestamp: number;
}

interface Fate {
  readonly resolve: (metadata: RecordMetadata) => void;
  readonly reject: (error: MillraceError) => void;
  readonly promise: Promise<RecordMetadata>;
}

interface Placing {
  readonly room: Room;
  /** What it took of the room. */
  readonly bytes: number;
  readonly deadlineMs: number;
}

export class PlacedRecord {
  readonly record: WireRecord;
  readonly bytes: number;
  readonly deadlineMs: number;
  readonly #room: Room;
  readonly #at: TopicPartition;
  #fate: Fate | undefined;
  #offset: number | undefined;
  #timestampMs = 0;
  #failure: MillraceError | undefined;
  #onFailure: ((error: MillraceError) => void) | undefined;

  constructor(record: WireRecord, at: TopicPartition, placing: Placing) {
    this.record = record;
    this.bytes = placing.bytes;
    this.deadlineMs = placing.deadlineMs;
    this.#room = placing.room;
    this.#at = at;
  }

  /** Resolves when the broker has acknowledged the record; rejects when it never will. */
  get acknowledged(): Promise<RecordMetadata> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#offset !== undefined) return Promise.resolve(this.#metadata(this.#offset));
    this.#fate ??= Promise.withResolvers<RecordMetadata>();
    return this.#fate.promise;
  }

  /** Told of a failure, also where nobody asks for the promise. */
  tellFailure(tell: (error: MillraceError) => void): void {
    if (this.#failure === undefined) this.#onFailure = tell;
    else tell(this.#failure);
  }

  acknowledge(offset: number, timestampMs: number): void {
    this.#room.release(this.bytes);
    this.#offset = offset;
    this.#timestampMs = timestampMs;
    this.#fate?.resolve(this.#metadata(offset));
  }

  fail(error: MillraceError): void {
    this.#room.release(this.bytes);
    this.#failure = error;
    this.#fate?.reject(error);
    this.#onFailure?.(error);
  }

  #metadata(offset: number): RecordMetadata {
    const { topic, partition } = this.#at;
    return { topic, partition, offset, timestamp: this.#timestampMs };
  }
}
