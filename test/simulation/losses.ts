import type { EndOffset, History, Operation, Poll, Send } from "./history.ts";

/**
 * The history without what was lost for good: acknowledgements of it prove nothing, and what was
 * seen of it need not be seen again, nor at the same offset.
 */
export function withoutLost(
  history: Pick<History, "losses">,
  operations: readonly Operation[],
): readonly Operation[] {
  if (history.losses.length === 0) return operations;
  return operations.map((operation) => {
    if (operation.kind === "assignment" || operation.completion !== "ok") return operation;
    let cut = Number.POSITIVE_INFINITY;
    for (const { at, from, partition } of history.losses) {
      if (partition === operation.partition && operation.completedAt < at)
        cut = Math.min(cut, from);
    }
    if (operation.kind === "send") return keptSend(operation, cut);
    if (operation.kind === "poll") return keptPoll(operation, cut);
    if (operation.kind === "endOffset") return keptEnd(operation, cut);
    return operation;
  });
}

/** Nobody knows any more whether it is there, and where. */
function keptSend(send: Send, cut: number): Send {
  if (cut === Number.POSITIVE_INFINITY) return send;
  const { offset, ...rest } = send;
  if (offset !== undefined && offset < cut) return send;
  return { ...rest, completion: "info", completedAt: Number.POSITIVE_INFINITY };
}

function keptPoll(poll: Poll, cut: number): Poll {
  const records = poll.records.filter(({ offset }) => offset < cut);
  return { ...poll, records, highWatermark: Math.min(poll.highWatermark, cut) };
}

function keptEnd(end: EndOffset, cut: number): EndOffset {
  return { ...end, offset: Math.min(end.offset, cut) };
}
