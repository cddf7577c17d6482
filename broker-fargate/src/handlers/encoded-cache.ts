import type { EncodedItems } from "@millrace/wire";

interface Entry {
  readonly items: Promise<readonly EncodedItems[]>;
  /** 0 while it is being encoded. */
  bytes: number;
}

/**
 * What was encoded of subjects that never change: a change makes another object, so that nothing
 * stale is found. `form` tells apart the ways in which one subject is encoded.
 *
 * Bounded by bytes: the least recently used subject goes first, with all its forms. One that alone
 * is larger is not kept. Whoever asks for what is being encoded waits for the same.
 */
export class EncodedCache {
  readonly #bytesMax: number;
  /** The least recently used first. */
  readonly #subjects = new Map<object, Map<string, Entry>>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  find(
    subject: object,
    form: string,
    encode: () => Promise<readonly EncodedItems[]>,
  ): Promise<readonly EncodedItems[]> {
    const forms = this.#subjects.get(subject) ?? new Map<string, Entry>();
    this.#subjects.delete(subject);
    this.#subjects.set(subject, forms);
    const known = forms.get(form);
    if (known !== undefined) return known.items;
    const entry: Entry = { items: encode(), bytes: 0 };
    forms.set(form, entry);
    entry.items.then(
      (items) => {
        // It may have had to make room before it was there.
        if (this.#subjects.get(subject) === forms) this.#encoded(entry, items);
      },
      () => forms.delete(form),
    );
    return entry.items;
  }

  /** Nobody will ask for it any more: a change has replaced it. */
  forget(subject: object): void {
    for (const { bytes } of this.#subjects.get(subject)?.values() ?? []) this.#bytes -= bytes;
    this.#subjects.delete(subject);
  }

  /** What all of it was made of has changed. */
  forgetAll(): void {
    this.#subjects.clear();
    this.#bytes = 0;
  }

  #encoded(entry: Entry, items: readonly EncodedItems[]): void {
    entry.bytes = items.reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.#bytes += entry.bytes;
    for (const [oldest, forms] of this.#subjects) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#subjects.delete(oldest);
      for (const { bytes } of forms.values()) this.#bytes -= bytes;
    }
  }
}
