import { ObjectError } from "@millrace/core";
import type { ObjectRange } from "@millrace/core";
import type { TierLimits } from "./limits.ts";
import type { ObjectAccess } from "./object-access.ts";

export interface CheckpointEndsDeps {
  readonly objects: Pick<ObjectAccess, "readRange">;
  readonly limits: Pick<TierLimits, "checkpointEndBytes" | "checkpointEndsMax">;
}

interface End {
  readonly from: number;
  readonly bytes: Uint8Array;
  /** Ranges that somebody took. */
  readonly taken: Set<string>;
}

/**
 * The ends of former incarnations' checkpoints, which are read for their index. A graceful move
 * leaves a checkpoint that is small: its sections and the tails of its images are there, too, and
 * whoever waits for its slots waits for one read instead of three.
 *
 * What was read is given once: who asks for it again could not use it, so that nothing more of what
 * was read is given, and the object store is asked.
 */
export class CheckpointEnds {
  readonly #deps: CheckpointEndsDeps;
  /** By object, the oldest first. */
  readonly #ends = new Map<string, End>();
  readonly #reading = new Map<string, Promise<void>>();

  constructor(deps: CheckpointEndsDeps) {
    this.#deps = deps;
  }

  /** Somebody will ask for the object's end soon, and meets what fails here. */
  readAhead(object: string, objectBytes: number): void {
    if (this.#reading.has(object) || this.#ends.has(object)) return;
    const reading = this.#read(object, endOf({ atLeast: 0, objectBytes }, this.#deps.limits))
      .then(
        () => undefined,
        (error: unknown) => {
          if (!(error instanceof ObjectError)) throw error;
        },
      )
      .finally(() => this.#reading.delete(object));
    this.#reading.set(object, reading);
  }

  /**
   * The object's last bytes, so many at least, or all. Undefined: there is no such object. Rejects
   * with ObjectError.
   */
  async read(object: string, wanted: WantedEnd): Promise<Uint8Array | undefined> {
    await this.#reading.get(object);
    const range = endOf(wanted, this.#deps.limits);
    const kept = this.#take(object, range);
    if (kept !== undefined) return kept;
    const bytes = await this.#read(object, range);
    this.#ends.get(object)?.taken.add(nameOf(range));
    return bytes;
  }

  /** As ObjectAccess.readRange, of any object. Who asks for a part has had the end before. */
  async readRange(object: string, range: ObjectRange): Promise<Uint8Array | undefined> {
    return this.#take(object, range) ?? (await this.#deps.objects.readRange(object, range));
  }

  async #read(object: string, range: ObjectRange): Promise<Uint8Array | undefined> {
    const { limits, objects } = this.#deps;
    const bytes = await objects.readRange(object, range);
    this.#ends.delete(object);
    if (bytes === undefined || bytes.length > limits.checkpointEndBytes) return bytes;
    this.#ends.set(object, { from: range.from, bytes, taken: new Set() });
    for (const oldest of this.#ends.keys()) {
      if (this.#ends.size <= limits.checkpointEndsMax) break;
      this.#ends.delete(oldest);
    }
    return bytes;
  }

  #take(object: string, range: ObjectRange): Uint8Array | undefined {
    const end = this.#ends.get(object);
    if (end === undefined || range.from < end.from) return undefined;
    if (end.taken.has(nameOf(range))) {
      this.#ends.delete(object);
      return undefined;
    }
    const at = range.from - end.from;
    if (at + range.bytes > end.bytes.length) return undefined;
    end.taken.add(nameOf(range));
    // A copy: what is kept of it must not keep the rest.
    return end.bytes.slice(at, at + range.bytes);
  }
}

/** Bytes. */
interface WantedEnd {
  readonly atLeast: number;
  /** Of the whole object. */
  readonly objectBytes: number;
}

function endOf(
  { atLeast, objectBytes }: WantedEnd,
  { checkpointEndBytes }: CheckpointEndsDeps["limits"],
): ObjectRange {
  const bytes = Math.min(objectBytes, Math.max(atLeast, checkpointEndBytes));
  return { from: objectBytes - bytes, bytes };
}

function nameOf({ bytes, from }: ObjectRange): string {
  return `${from} ${bytes}`;
}
