/** Handlers at work: a few messages of each partition at a time, started in their order. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { AssignedPartition, InHand } from "./assigned-partition.ts";
import type { ConsumerCore } from "./consumer-core.ts";

interface Work<M> {
  /** Undefined for a message that is passed over. */
  readonly decode: (inHand: InHand) => M | undefined | Promise<M | undefined>;
  readonly handler: (message: M) => void | Promise<void>;
  /** Of one partition at a time. */
  readonly concurrency: number;
}

const handling = new AsyncLocalStorage<ConsumerCore>();

/** True within a handler of the consumer, and in what it calls. */
export function isHandling(core: ConsumerCore): boolean {
  return handling.getStore() === core;
}

/**
 * Resolves when the consumer has stopped. Rejects with what a handler threw, or the consumer failed
 * with, after it has stopped.
 */
export async function runHandlers<M>(core: ConsumerCore, work: Work<M>): Promise<void> {
  let thrown: { readonly error: unknown } | undefined;
  const handle = async (inHand: InHand): Promise<void> => {
    try {
      const decoding = work.decode(inHand);
      const message = decoding instanceof Promise ? await decoding : decoding;
      if (message !== undefined) await handling.run(core, work.handler, message);
      core.processed(inHand);
    } catch (error) {
      thrown ??= { error };
      inHand.from.giveUp();
    }
    // The other partitions are as they were: to look at all of them would cost each message so much.
    if (isOver()) over();
    else begin(inHand.from);
  };
  const begin = (partition: AssignedPartition): void => {
    while (partition.inHandCount < work.concurrency) {
      const inHand = thrown === undefined ? core.takeOf(partition) : undefined;
      if (inHand === undefined) return;
      handle(inHand).catch(() => undefined);
    }
  };
  let over: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    over = resolve;
  });
  function isOver(): boolean {
    return thrown !== undefined || core.failure !== undefined || core.isOver;
  }
  function look(): void {
    if (isOver()) over();
    else for (const partition of core.assigned) begin(partition);
  }
  core.onChange = look;
  look();
  await ended;
  const stopped = await core.stop().then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  const failure = thrown ?? (core.failure === undefined ? stopped : { error: core.failure });
  if (failure !== undefined) throw failure.error;
}
