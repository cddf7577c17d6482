import { getHeapStatistics } from "node:v8";
import { Chance } from "../chance.ts";
import { mutateBytes } from "../mutate-bytes.ts";
import type { Target } from "../target.ts";
import type { Decoder } from "./decoder.ts";
import { itemDecoders } from "./items.ts";
import { logFileDecoders } from "./log-files.ts";
import { messageDecoders } from "./messages.ts";
import { metadataHostDecoders } from "./metadata-host.ts";
import { recordDecoders } from "./records.ts";
import { textDecoders } from "./texts.ts";
import { tierObjectDecoders } from "./tier-objects.ts";

/** Beside a multiple of the input: what the runtime takes for itself. */
const allocatedBytesMin = 2 << 20;
/** Of one byte of input comes an object with some fields at most. */
const allocatedPerByteMax = 1_000;
const msMax = 25;
/** A pause of the machine or a compilation is no property of the input: the least counts. */
const measurementsMax = 5;
const randomBytesMax = 300;
/** Per decoder, before it is said that it never gave a value or never refused. */
const casesToTell = 60;

interface Seen {
  cases: number;
  values: number;
}

/** Any bytes, into every decoder in turn: a value or its declared error, soon, and in little memory. */
export class DecoderTarget implements Target {
  readonly name = "decoders";
  readonly #decoders: readonly Decoder[];
  readonly #seen: readonly Seen[];

  constructor(decoders: readonly Decoder[]) {
    this.#decoders = decoders;
    this.#seen = decoders.map(() => ({ cases: 0, values: 0 }));
  }

  static async all(): Promise<DecoderTarget> {
    const [messages, files] = await Promise.all([messageDecoders(), logFileDecoders()]);
    // Messages are many and alike: the others come as often as all of them together.
    const others = [
      ...[...recordDecoders(), ...files, ...textDecoders(), ...tierObjectDecoders()],
      ...[...itemDecoders(), ...metadataHostDecoders()],
    ];
    const times = Math.ceil(messages.length / others.length);
    const woven = messages.flatMap((message, index) => {
      const other = others[index % others.length];
      return other === undefined ? [message] : [message, other];
    });
    const isWoven = times * others.length >= messages.length;
    if (!isWoven) throw new Error("a decoder is left out");
    return new DecoderTarget(woven);
  }

  get size(): number {
    return new Set(this.#decoders.map(({ name }) => name)).size;
  }

  async run(seed: number): Promise<readonly string[]> {
    const { decoder, index } = this.#decoderOf(seed);
    const input = inputOf(decoder, seed);
    const seen = this.#seen[index];
    if (seen !== undefined) seen.cases += 1;
    const outcome = await measured(decoder, input);
    if (outcome.kind === "value" && seen !== undefined) seen.values += 1;
    const faults = await faultsOf(decoder, input, outcome);
    if (faults.length === 0) return [];
    return [...faults.map((fault) => `${decoder.name}: ${fault}`), hex(input)];
  }

  /** The shortest input in which, byte by byte, nothing more can be left out. */
  async shrink(seed: number): Promise<readonly string[]> {
    const { decoder } = this.#decoderOf(seed);
    const fails = async (input: Uint8Array): Promise<boolean> =>
      (await faultsOf(decoder, input, await measured(decoder, input))).length > 0;
    let input = inputOf(decoder, seed);
    for (let step = Math.ceil(input.length / 2); step >= 1; step = Math.floor(step / 2)) {
      for (let at = 0; at < input.length; ) {
        const rest = new Uint8Array([...input.subarray(0, at), ...input.subarray(at + step)]);
        if (await fails(rest)) input = rest;
        else at += step;
      }
    }
    return [`${decoder.name}, shrunk to ${input.length} bytes: ${hex(input)}`];
  }

  coverage(): readonly string[] {
    const byName = this.#byName();
    const cases = [...byName.values()].reduce((sum, seen) => sum + seen.cases, 0);
    const values = [...byName.values()].reduce((sum, seen) => sum + seen.values, 0);
    const share = ((100 * values) / Math.max(1, cases)).toFixed(1);
    const messages = [...byName.keys()].filter((name) => / v\d+$/u.test(name));
    return [
      `${byName.size} decoders, ${messages.length} of them messages by version; ` +
        `${share} % of the inputs were values`,
      ...[...byName]
        .filter(([name]) => !messages.includes(name))
        .map(([name, seen]) => `  ${name.padEnd(48)} ${seen.cases} cases, ${seen.values} values`),
    ];
  }

  missing(): readonly string[] {
    const all = this.#seen.reduce((sum, { cases }) => sum + cases, 0);
    if (all < this.#decoders.length) return [];
    return [...this.#byName()].flatMap(([name, { cases, values }]) => {
      if (cases === 0) return [`${name} was never read`];
      if (cases < casesToTell) return [];
      // A message without fields is a value whatever follows it.
      return values === 0 ? [`${name} never gave a value in ${cases} cases`] : [];
    });
  }

  #byName(): ReadonlyMap<string, Seen> {
    const byName = new Map<string, Seen>();
    for (const [index, { name }] of this.#decoders.entries()) {
      const { cases = 0, values = 0 } = this.#seen[index] ?? {};
      const before = byName.get(name) ?? { cases: 0, values: 0 };
      byName.set(name, { cases: before.cases + cases, values: before.values + values });
    }
    return byName;
  }

  #decoderOf(seed: number): { readonly decoder: Decoder; readonly index: number } {
    const index = seed % this.#decoders.length;
    const decoder = this.#decoders[index];
    if (decoder === undefined) throw new Error("no decoders");
    return { decoder, index };
  }
}

function inputOf(decoder: Decoder, seed: number): Uint8Array {
  const chance = new Chance(seed);
  if (chance.perThousand(60)) return chance.bytes(chance.below(randomBytesMax));
  const sample = chance.pick(decoder.samples);
  if (chance.perThousand(20)) return new Uint8Array(sample);
  const { mutate } = decoder;
  const isOwn = mutate !== undefined && chance.perThousand(800);
  const mutated = isOwn ? mutate(sample, chance) : mutateBytes(sample, chance);
  if (decoder.seal !== undefined && chance.perThousand(700)) decoder.seal(mutated, chance);
  return mutated;
}

type Outcome =
  | { readonly kind: "value" | "refused"; readonly ms: number; readonly allocatedBytes: number }
  | { readonly kind: "threw"; readonly error: unknown };

async function measured(decoder: Decoder, input: Uint8Array): Promise<Outcome> {
  // The decoder gets bytes of its own: some of them write in place.
  const bytes = new Uint8Array(input);
  const before = heapBytes();
  // The thread's own time, whatever else runs on the machine.
  const start = process.threadCpuUsage();
  try {
    const kind = await decoder.read(bytes);
    const { system, user } = process.threadCpuUsage(start);
    const ms = (system + user) / 1_000;
    return { kind, ms, allocatedBytes: heapBytes() - before };
  } catch (error) {
    return { kind: "threw", error };
  }
}

function heapBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}

async function faultsOf(
  decoder: Decoder,
  input: Uint8Array,
  first: Outcome,
): Promise<readonly string[]> {
  if (first.kind === "threw") return [`threw ${describe(first.error)}`];
  const bytesMax =
    allocatedBytesMin + allocatedPerByteMax * input.length + (decoder.outputBytesMax ?? 0);
  let { ms, allocatedBytes } = first;
  for (let left = measurementsMax; left > 0; left -= 1) {
    if (ms <= msMax && allocatedBytes <= bytesMax) break;
    const again = await measured(decoder, input);
    if (again.kind === "threw") return [`threw, when it was run again, ${describe(again.error)}`];
    ms = Math.min(ms, again.ms);
    allocatedBytes = Math.min(allocatedBytes, again.allocatedBytes);
  }
  return [
    ...(ms > msMax ? [`took ${ms.toFixed(0)} ms`] : []),
    ...(allocatedBytes > bytesMax ? [`allocated ${allocatedBytes} bytes`] : []),
  ];
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error.stack ?? error.message).split("\n").slice(0, 5).join(" | ");
}

function hex(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.subarray(0, 400)).toString("hex");
  return `${bytes.length} bytes: ${shown}${bytes.length > 400 ? "…" : ""}`;
}
