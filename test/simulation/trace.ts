import { crc32c } from "@millrace/wire";

/** Where lines go. */
export type TraceLines = Pick<Trace, "add" | "addBytes">;

/**
 * What happened, as lines of text, folded into one number: two runs are the same run if their
 * digests and counts are. Lines are kept only on demand, because a long run has millions.
 */
export class Trace {
  readonly #kept: string[] | undefined;
  readonly #nowMs: () => number;
  #other = 0;
  #hash = 0x811c9dc5;
  #count = 0;

  constructor(options: { readonly nowMs: () => number; readonly keep: "all" | "digest" }) {
    this.#nowMs = options.nowMs;
    this.#kept = options.keep === "all" ? [] : undefined;
  }

  add(what: string): void {
    const line = `${this.#nowMs()} ${what}\n`;
    let [hash, other] = [this.#hash, this.#other];
    for (let at = 0; at < line.length; at += 1) {
      const code = line.charCodeAt(at);
      hash = Math.imul(hash ^ code, 0x01000193);
      // A second, independent sum: 32 bits alone could hide a difference in a long run.
      other = Math.imul(other, 31) + code;
      other ^= other >>> 15;
    }
    [this.#hash, this.#other] = [hash, other | 0];
    this.#count += 1;
    this.#kept?.push(line);
  }

  /** As `add`, for bytes: only their length and checksum are kept. */
  addBytes(what: string, bytes: Uint8Array): void {
    this.add(`${what} ${bytes.length} ${crc32c(bytes).toString(16)}`);
  }

  /** Lines of one of several brokers begin with its name. */
  of(name: string): TraceLines {
    return {
      add: (what) => this.add(`${name}: ${what}`),
      addBytes: (what, bytes) => this.addBytes(`${name}: ${what}`, bytes),
    };
  }

  get count(): number {
    return this.#count;
  }

  get digest(): string {
    const hex = (sum: number): string => (sum >>> 0).toString(16).padStart(8, "0");
    return `${this.#count}:${hex(this.#other)}${hex(this.#hash)}`;
  }

  /** The kept lines, or none. */
  get lines(): readonly string[] {
    return this.#kept ?? [];
  }
}
