import { Consumer, stringDeserializers } from "@platformatic/kafka";
import type { Answer } from "./data-sets.ts";

export interface Question {
  readonly bootstrap: string;
  readonly topic: string;
  readonly group: string;
  readonly members: number;
  /** How many events the topic holds: the group ends when it has taken them all. */
  readonly events: number;
}

/** A group of several members reads the topic once, together, and folds it into the answer. */
export async function answerByGroup(question: Question, answer: Answer): Promise<void> {
  const taken = new Map<number, bigint>();
  let left = question.events;
  const members = Array.from(
    { length: question.members },
    (_, index) =>
      new Consumer({
        clientId: `member-${index}`,
        groupId: question.group,
        bootstrapBrokers: [question.bootstrap],
        deserializers: stringDeserializers,
      }),
  );
  for (const member of members) {
    member.on("error", (error: unknown) => {
      // Whoever is closed while the leaving of another makes it join again tells of its connection.
      if (left > 0) throw error;
    });
  }
  const streams = await Promise.all(
    members.map((member) =>
      member.consume({
        topics: [question.topic],
        mode: "committed",
        fallbackMode: "earliest",
        sessionTimeout: 10_000,
        heartbeatInterval: 500,
        maxWaitTime: 100,
      }),
    ),
  );
  await Promise.all(
    streams.map(async (stream) => {
      for await (const { key, value, partition, offset } of stream) {
        // A rebalance may deliver an uncommitted record to a second member: each offset counts once.
        if (offset > (taken.get(partition) ?? -1n)) {
          taken.set(partition, offset);
          answer.take({ key, value });
          left -= 1;
        }
        if (left === 0) await Promise.all(streams.map((each) => each.close()));
      }
    }),
  );
  for (const member of members) await member.close(true);
}
