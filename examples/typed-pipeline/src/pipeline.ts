import type { MillraceClient, Topic } from "@millrace/sdk";
import { z } from "zod";
import { startProgress } from "./progress.ts";
import { type Strike, strikeSchema } from "./strikes.ts";

const schemas = { key: z.string(), value: strikeSchema };

/** Its keys are airports: the strikes of one lie in one partition, in their order. */
export type Strikes = Topic<typeof schemas, "wildlife-strikes">;

const partitions = 6;
const members = 2;

export async function createStrikes(client: MillraceClient): Promise<Strikes> {
  const topic = client.topic("wildlife-strikes", schemas);
  await client.admin.createTopic(topic.name, { partitions });
  return topic;
}

export interface Work {
  readonly strikes: readonly Strike[];
  /** Ends it early. */
  readonly signal: AbortSignal;
}

/** Sends them all; resolves when the broker has acknowledged every one. */
export async function produce(
  client: MillraceClient,
  topic: Strikes,
  { signal, strikes }: Work,
): Promise<void> {
  const bar = startProgress(`sending to ${topic.name}`, strikes.length);
  await using producer = client.producer();
  try {
    const acknowledgements = strikes.map(async (strike) => {
      await producer.send(topic, { key: strike.airport, value: strike }, { signal });
      bar.advance(1);
    });
    await Promise.all(acknowledgements);
  } finally {
    bar.done();
  }
  console.log(`${strikes.length} strikes sent to ${topic.name}`);
}

export interface SpeciesCost {
  readonly species: string;
  readonly strikes: number;
  readonly cost: number;
}

/** A group reads the topic once, and adds up what each species has cost; the dearest first. */
export async function costBySpecies(
  topic: Strikes,
  { signal, strikes }: Work,
): Promise<readonly SpeciesCost[]> {
  const bar = startProgress(`reading ${topic.name}`, strikes.length);
  const bySpecies = new Map<string, SpeciesCost>();
  const nextOffsets = new Map<number, number>();
  const all = new AbortController();
  let left = strikes.length;
  const read = Array.from({ length: members }, async () => {
    const ends = AbortSignal.any([signal, all.signal]);
    await using consumer = topic.consume({ group: "accountants", from: "earliest", signal: ends });
    await consumer.run(({ partition, offset, value }) => {
      // At least once: what a member had not committed before a rebalance comes again.
      if (offset < (nextOffsets.get(partition) ?? 0)) return;
      nextOffsets.set(partition, offset + 1);
      const { species, cost } = value;
      const known = bySpecies.get(species) ?? { species, strikes: 0, cost: 0 };
      bySpecies.set(species, { species, strikes: known.strikes + 1, cost: known.cost + cost });
      bar.advance(1);
      left -= 1;
      if (left === 0) all.abort();
    });
  });
  try {
    await Promise.all(read);
  } finally {
    bar.done();
  }
  signal.throwIfAborted();
  console.log(`${strikes.length} strikes read by a group of ${members}`);
  return [...bySpecies.values()].sort((a, b) => b.cost - a.cost);
}
