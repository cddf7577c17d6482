import type { DumpOptions } from "./dump-options.ts";

export type FieldValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly FieldValue[]
  | { readonly [name: string]: FieldValue };
/** What is undefined is left out. */
export type Fields = Readonly<Record<string, FieldValue>>;

/**
 * What is told of one file: lines, as many as are wanted, then whether it is sound. Of damages, the one that
 * begins first in the file counts; each is printed, within the limit.
 */
export class Report {
  readonly #path: string;
  readonly #options: Pick<DumpOptions, "linesShownMax" | "output">;
  readonly #write: (line: string) => void;
  readonly #counts = new Map<string, number>();
  #shown = 0;
  #hidden = 0;
  #damage: { readonly at: number; readonly why: string } | undefined;

  constructor(
    path: string,
    options: Pick<DumpOptions, "linesShownMax" | "output">,
    write: (line: string) => void,
  ) {
    this.#path = path;
    this.#options = options;
    this.#write = write;
  }

  get isDamaged(): boolean {
    return this.#damage !== undefined;
  }

  /** What is found from now on is only counted and checked. */
  get isFull(): boolean {
    return this.#shown >= this.#options.linesShownMax;
  }

  /** To be called first. */
  begin(kind: string, bytes: number): void {
    if (this.#options.output === "text") this.#write(`${this.#path} (${kind}, ${bytes} bytes)`);
    else this.#print("file", { kind, bytes });
  }

  line(what: string, fields: Fields): void {
    if (this.isFull) {
      this.#hidden += 1;
      return;
    }
    this.#shown += 1;
    this.#print(what, fields);
  }

  /** Something that the last line has the number of. */
  count(name: string, add = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + add);
  }

  /** `at`: the first byte in the file that is not as it was written, as far as can be told. */
  damage(at: number, why: string): void {
    this.line("damage", { at, why });
    if (this.#damage === undefined || at < this.#damage.at) this.#damage = { at, why };
  }

  /** To be called last. */
  end(): void {
    const damage = this.#damage;
    const state = damage === undefined ? "sound" : "damaged";
    const where = damage === undefined ? {} : { damagedFrom: damage.at, why: damage.why };
    const counts = Object.fromEntries(this.#counts);
    const notShown = this.#hidden === 0 ? undefined : this.#hidden;
    this.#print(state, { ...where, ...counts, notShown });
  }

  #print(what: string, fields: Fields): void {
    if (this.#options.output === "json") {
      this.#write(JSON.stringify({ file: this.#path, what, ...fields }));
      return;
    }
    const told = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => ` ${name}=${textOf(value)}`);
    this.#write(`  ${what}${told.join("")}`);
  }
}

/** Text is quoted unless it is one plain word: what a record holds can't forge a field or a line. */
function textOf(value: FieldValue): string {
  if (typeof value === "string" && /^[\w.:@/+-]+$/u.test(value)) return value;
  return JSON.stringify(value);
}
