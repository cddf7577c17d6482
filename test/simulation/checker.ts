import { checkCommits } from "./check-commits.ts";
import { checkSends } from "./check-sends.ts";
import { checkFullReads } from "./check-full-reads.ts";
import { CompactedKeys } from "./compacted-keys.ts";
import { checkPolls } from "./check-polls.ts";
import { withoutLost } from "./losses.ts";
import { type Anomaly, type History, type Operation, type Send, topicOf } from "./history.ts";

/**
 * What each row of the durability table promises, and so what is judged.
 *
 * | policy  | acks  | kill of the process | power loss     |
 * | local   | all   | survives            | may lose       |
 * | local   | 1     | survives            | may lose       |
 * | journal | all   | survives            | survives       |
 * | journal | 1     | may lose            | may lose       |
 * | any     | 0     | may lose            | may lose       |
 *
 * An offset that may be lost may be used again, so such an acknowledgement proves nothing.
 */
export type Policy = "local" | "journal";

export interface Promises {
  /** The weakest policy that the partition had while anything was written to it. */
  readonly policyOf: (partition: string) => Policy;
  /** Whether power was lost in this history. */
  readonly power: "kept" | "lost";
}

/** Whether an acknowledgement of these acks means that the record is there for good. */
export function survives(
  promises: Promises,
  send: { readonly partition: string; readonly acks: -1 | 0 | 1 },
): boolean {
  if (send.acks === 0) return false;
  switch (promises.policyOf(send.partition)) {
    case "journal":
      return send.acks === -1;
    case "local":
      return promises.power === "kept";
  }
}

/**
 * Finds what a history shows that must never be. `drain: "complete"` says that at its end every
 * partition was read from its beginning to its end, so that a record that was not seen is gone.
 */
export function checkHistory(
  history: History,
  options: { readonly promises: Promises; readonly drain: "complete" | "none" },
): readonly Anomaly[] {
  const present = history.operations.filter((operation) => !isDeleted(history, operation));
  const judged = withoutLost(history, present);
  const { promises, drain } = options;
  const rules = {
    survives: (send: Send): boolean => survives(promises, send),
    startOf: (partition: string): number => history.startOf(partition),
    mayForgetProducers: (partition: string): boolean => {
      return promises.power === "lost" || history.lostFolders.has(partition);
    },
    keys: new CompactedKeys(judged, history.compactedTopics),
    losses: history.losses,
    drain,
  };
  return [
    ...checkSends(judged, rules),
    ...checkPolls(judged, rules.keys),
    ...checkFullReads(judged, rules),
    ...checkCommits(judged, new Set(history.losses.map(({ partition }) => partition))),
  ];
}

function isDeleted(history: History, operation: Operation): boolean {
  if (operation.kind === "assignment") return false;
  return history.deletedTopics.has(topicOf(operation.partition));
}
