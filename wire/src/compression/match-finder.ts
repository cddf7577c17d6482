/** The longest run of bytes that one search covers, so that every distance fits 16 bits. */
export const MATCH_BLOCK_BYTES_MAX = 65_536;

const MATCH_BYTES_MIN = 4;
const HASH_BITS = 13;
const HASH_MULTIPLIER = 0x9e3779b1;

/** No match begins in the last 12 bytes or ends in the last 5: lz4's rule, harmless to snappy. */
const MATCH_START_MARGIN_BYTES = 12;
const MATCH_END_MARGIN_BYTES = 5;

/** After each 2^5 positions without a match the search takes longer steps. */
const SKIP_SHIFT = 5;

function read32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

function slotOf(word: number): number {
  return Math.imul(word, HASH_MULTIPLIER) >>> (32 - HASH_BITS);
}

/**
 * Finds repetitions greedily, for both lz4 and snappy. Its results stand until the next search: one
 * instance serves one synchronous compressor and is used again and again.
 */
export class MatchFinder {
  /** How many matches the last search found, in ascending order, none overlapping. */
  count = 0;
  /** Where each match begins in the input; what lies between matches is literal. */
  readonly starts: Int32Array = new Int32Array(MATCH_BLOCK_BYTES_MAX / MATCH_BYTES_MIN);
  readonly lengths: Int32Array = new Int32Array(MATCH_BLOCK_BYTES_MAX / MATCH_BYTES_MIN);
  /** How far back each match's earlier copy lies: 1 to 65,535. */
  readonly distances: Int32Array = new Int32Array(MATCH_BLOCK_BYTES_MAX / MATCH_BYTES_MIN);
  readonly #lastSeen = new Int32Array(1 << HASH_BITS);
  /** Of each place, the one before it with its hash; made for the first deep search. */
  #before: Int32Array | undefined;

  /** Searches `input` from `start` to `end`, at most 65,536 bytes, on their own. */
  search(input: Uint8Array, start: number, end: number): void {
    this.count = 0;
    this.#lastSeen.fill(-1);
    const lastStart = end - MATCH_START_MARGIN_BYTES;
    let at = start;
    let misses = 0;
    while (at <= lastStart) {
      const word = read32(input, at);
      const slot = slotOf(word);
      const candidate = this.#lastSeen[slot] as number;
      this.#lastSeen[slot] = at;
      if (candidate < 0 || read32(input, candidate) !== word) {
        at += 1 + (misses++ >> SKIP_SHIFT);
        continue;
      }
      misses = 0;
      const matchEnd = extend(input, candidate, at, end - MATCH_END_MARGIN_BYTES);
      this.#add(at, matchEnd, candidate);
      at = matchEnd;
    }
  }

  /**
   * The same, but of each place it looks at up to `attempts` earlier copies and takes the longest:
   * slower, and what it finds takes fewer bytes.
   */
  searchDeep(
    input: Uint8Array,
    block: { readonly start: number; readonly end: number },
    attempts: number,
  ): void {
    const { end, start } = block;
    this.count = 0;
    this.#lastSeen.fill(-1);
    this.#before ??= new Int32Array(MATCH_BLOCK_BYTES_MAX);
    const lastStart = end - MATCH_START_MARGIN_BYTES;
    const search = { input, start, attempts, limit: end - MATCH_END_MARGIN_BYTES };
    for (let at = start; at <= lastStart; ) {
      const { candidate, matchEnd } = this.#longest(search, at, this.#before);
      const next = candidate < 0 ? at + 1 : matchEnd;
      if (candidate >= 0) this.#add(at, matchEnd, candidate);
      for (; at < next && at <= lastStart; at++) {
        const slot = slotOf(read32(input, at));
        this.#before[at - start] = this.#lastSeen[slot] as number;
        this.#lastSeen[slot] = at;
      }
      at = next;
    }
  }

  #longest(search: DeepSearch, at: number, before: Int32Array): Longest {
    const { attempts, input, limit, start } = search;
    const word = read32(input, at);
    let longest = noMatch;
    let candidate = this.#lastSeen[slotOf(word)] as number;
    for (let left = attempts; left > 0 && candidate >= 0; left--) {
      if (read32(input, candidate) === word) {
        const matchEnd = extend(input, candidate, at, limit);
        if (matchEnd > longest.matchEnd) longest = { candidate, matchEnd };
        if (matchEnd === limit) break;
      }
      candidate = before[candidate - start] as number;
    }
    return longest;
  }

  #add(start: number, end: number, candidate: number): void {
    this.starts[this.count] = start;
    this.lengths[this.count] = end - start;
    this.distances[this.count] = start - candidate;
    this.count++;
  }
}

interface DeepSearch {
  readonly input: Uint8Array;
  readonly start: number;
  readonly limit: number;
  readonly attempts: number;
}

interface Longest {
  readonly candidate: number;
  readonly matchEnd: number;
}

const noMatch: Longest = { candidate: -1, matchEnd: -1 };

/** Where the match of `at` with `candidate` ends, at most `limit`; four bytes are equal already. */
function extend(input: Uint8Array, candidate: number, at: number, limit: number): number {
  let earlier = candidate + MATCH_BYTES_MIN;
  let later = at + MATCH_BYTES_MIN;
  while (later < limit && input[earlier] === input[later]) {
    earlier++;
    later++;
  }
  return later;
}
