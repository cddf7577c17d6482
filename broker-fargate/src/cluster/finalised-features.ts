import {
  type Features,
  type Item,
  keys,
  type ReadFeatures,
  readFeatures,
  type SupportedVersions,
  type Write,
} from "@millrace/core";
import { FormatError } from "./format-error.ts";
import { read, type StoreAccess } from "./persist.ts";

/**
 * The finalised features as this broker knows them, and so `level`: which formats it writes. Whoever
 * writes a format that the level decides asks here, at that moment, and puts `unmoved` into the same
 * transaction: then the level was that one when the write took effect, also while it is raised or
 * lowered. A refused write tells of the newer level, and is decided anew.
 */
export class FinalisedFeatures {
  readonly supported: SupportedVersions;
  readonly #listeners = new Set<() => void>();
  #item: Item;
  #known: ReadFeatures;

  private constructor(item: Item, supported: SupportedVersions) {
    this.supported = supported;
    this.#item = item;
    this.#known = readFeatures(item, supported);
  }

  /** A strong read. Throws FormatError, MetadataError. */
  static async read(access: StoreAccess, supported: SupportedVersions): Promise<FinalisedFeatures> {
    const item = await read(access, keys.features);
    if (item === undefined) throw new FormatError("there are no finalised features");
    return new FinalisedFeatures(item, supported);
  }

  /** What ApiVersions shows. */
  get now(): Features {
    return this.#known.features;
  }

  /** The finalised level of `millrace.version`. */
  get level(): number {
    return this.#known.level;
  }

  /** Why a broker of this version may lead nothing, and write no leadership: for the operator. */
  get fault(): string | undefined {
    return this.#known.fault;
  }

  get isCompatible(): boolean {
    return this.fault === undefined;
  }

  /** The condition that they are as they are known here. */
  get unmoved(): Write {
    const { version } = this.#item;
    return { kind: "check", key: keys.features, condition: { is: "version", version } };
  }

  /** These levels in their place, on the same condition. */
  changed(levels: Readonly<Record<string, number>>): Write {
    const { value, version } = this.#item;
    const condition = { is: "version", version } as const;
    return { kind: "put", key: keys.features, value: { ...value, ...levels }, condition };
  }

  /** A strong read. Throws MetadataError. */
  async follow(access: StoreAccess): Promise<void> {
    this.learn(await read(access, keys.features));
  }

  /** Of the item as it was found. An older one tells nothing. */
  learn(item: Item | undefined): void {
    if (item === undefined || item.version <= this.#item.version) return;
    this.#known = readFeatures(item, this.supported);
    this.#item = item;
    for (const listener of this.#listeners) listener();
  }

  /** Called after each change. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }
}
