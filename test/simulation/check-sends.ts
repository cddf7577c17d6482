import type { CompactedKeys } from "./compacted-keys.ts";
import type { Anomaly, Operation, Poll, PolledRecord, Send } from "./history.ts";

export interface SendRules {
  /** Whether the send's acknowledgement means that the record is there for good. */
  readonly survives: (send: Send) => boolean;
  /** The partition's log start: what is below it was deleted. */
  readonly startOf: (partition: string) => number;
  /**
   * Whether the snapshot of the partition's producers may be gone: of records that were deleted
   * nothing else tells who sent them, and they may be sent, and taken, once more.
   */
  readonly mayForgetProducers: (partition: string) => boolean;
  readonly drain: "complete" | "none";
  readonly keys: CompactedKeys;
}

/** All that is known of one partition. */
interface PartitionFacts {
  readonly sends: Send[];
  readonly polls: Poll[];
  /** The first value seen at an offset, and by whom. */
  readonly valueAt: Map<number, { readonly value: number; readonly by: string }>;
  readonly offsetOf: Map<number, number>;
}

/** Judges what was written against what was read. */
export function checkSends(operations: readonly Operation[], rules: SendRules): readonly Anomaly[] {
  const partitions = new Map<string, PartitionFacts>();
  const sendOf = new Map<number, Send>();
  for (const operation of operations) {
    if (operation.kind !== "send" && operation.kind !== "poll") continue;
    const facts = partitions.get(operation.partition) ?? noFacts();
    partitions.set(operation.partition, facts);
    if (operation.kind === "poll") facts.polls.push(operation);
    else facts.sends.push(operation);
    if (operation.kind === "send") sendOf.set(operation.value, operation);
  }
  const found: Anomaly[] = [];
  for (const [partition, facts] of partitions) {
    found.push(...agreeOnOffsets(partition, facts, { rules, sendOf }));
    found.push(...lookForLost(partition, facts, rules));
    found.push(...inOrder(partition, facts, rules));
  }
  return found;
}

function noFacts(): PartitionFacts {
  return { sends: [], polls: [], valueAt: new Map(), offsetOf: new Map() };
}

interface Known {
  readonly rules: SendRules;
  readonly sendOf: ReadonlyMap<number, Send>;
}

/** One offset, one value; one value, one offset; and every value was sent by somebody. */
function agreeOnOffsets(partition: string, facts: PartitionFacts, known: Known): Anomaly[] {
  const found: Anomaly[] = [];
  const note = (offset: number, value: number, by: string): void => {
    const there = facts.valueAt.get(offset);
    if (there === undefined) facts.valueAt.set(offset, { value, by });
    else if (there.value !== value) {
      const what = `${partition}@${offset}: ${there.value} (${there.by}), then ${value} (${by})`;
      found.push({ kind: "inconsistentOffsets", what });
    }
    const before = facts.offsetOf.get(value);
    if (before === undefined) facts.offsetOf.set(value, offset);
    else if (before !== offset && known.sendOf.get(value)?.idempotent === true) {
      const isDeleted = Math.min(before, offset) < known.rules.startOf(partition);
      if (isDeleted && known.rules.mayForgetProducers(partition)) return;
      found.push({ kind: "duplicate", what: `${partition}: ${value} at ${before} and ${offset}` });
    }
  };
  for (const poll of facts.polls) {
    for (const record of poll.records) {
      const { offset, value } = record;
      note(offset, value, poll.consumer);
      const send = known.sendOf.get(value);
      if (send === undefined || send.partition !== partition || !isSame(send, record)) {
        found.push({
          kind: "phantom",
          what: `${partition}@${offset}: ${value} was never sent here`,
        });
      } else if (send.completion === "fail") {
        found.push({ kind: "failedRead", what: `${partition}@${offset}: ${value} had failed` });
      }
    }
  }
  for (const send of facts.sends) {
    if (send.offset !== undefined && known.rules.survives(send)) {
      note(send.offset, send.value, send.producer);
    }
  }
  return found;
}

function isSame(send: Send, record: PolledRecord): boolean {
  return send.key === record.key && send.isTombstone === record.isTombstone;
}

/** Acknowledged for good, and not there. */
function lookForLost(partition: string, facts: PartitionFacts, rules: SendRules): Anomaly[] {
  const polled = new Set<number>();
  let passed = -1;
  for (const { records } of facts.polls) {
    for (const { value, offset } of records) {
      polled.add(value);
      passed = Math.max(passed, offset);
    }
  }
  const found: Anomaly[] = [];
  for (const send of facts.sends) {
    if (send.completion !== "ok" || !rules.survives(send) || polled.has(send.value)) continue;
    const { offset, value, producer } = send;
    // An acknowledgement that says no offset may be of what was deleted since.
    if ((offset ?? 0) < rules.startOf(partition)) continue;
    if (rules.keys.mayBeGone(partition, { value, offset }, Number.POSITIVE_INFINITY)) continue;
    const what = `${partition}@${offset ?? "?"}: ${value}, acknowledged to ${producer}`;
    if (offset !== undefined && passed > offset) {
      if (isPassedOver(facts, offset)) found.push({ kind: "lostWrite", what });
    } else if (rules.drain === "complete") found.push({ kind: "unseen", what });
  }
  return found;
}

/** Whether some poll that began at or below the offset went on past it. */
function isPassedOver(facts: PartitionFacts, offset: number): boolean {
  return facts.polls.some(
    ({ from, records }) => from <= offset && (records.at(-1)?.offset ?? -1) > offset,
  );
}

/** A producer's sends to one partition get ascending offsets, in the order of the sends. */
function inOrder(partition: string, facts: PartitionFacts, rules: SendRules): Anomaly[] {
  const found: Anomaly[] = [];
  const last = new Map<string, Send>();
  for (const send of facts.sends) {
    if (send.offset === undefined || !rules.survives(send)) continue;
    const before = last.get(send.producer);
    if (before?.offset !== undefined && send.idempotent && send.offset <= before.offset) {
      const what =
        `${partition}: ${send.producer} sent ${before.value} (@${before.offset}), ` +
        `then ${send.value} (@${send.offset})`;
      found.push({ kind: "nonMonotonicSend", what });
    }
    last.set(send.producer, send);
  }
  return found;
}
