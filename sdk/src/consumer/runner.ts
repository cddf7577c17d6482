/** Handlers at work: a few messages of each partition at a time, started in their order. */
import type { AssignedPartition, InHand } from "./assigned-partition.ts";
import type { ConsumerCore } from "./consumer-core.ts";
import { callFor } from "./on-behalf.ts";

interface Work<M> {
  /** Undefined for a message that is passed over. */
  readonly decode: (inHand: InHand) => M | undefined | Promise<M | undefined>;
  readonly handler: (message: M) => void | Promise<void>;
  /** Of one partition at a time. */
  readonly concurrency: number;
}

/**
 * Resolves when the consumer has stopped. Rejects with what a handler threw, or the consumer failed
 * with, after it has stopped.
 */
export async function runHandlers<M>(core: ConsumerCore, work: Work<M>): Promise<void> {
  let thrown: { readonly error: unknown } | undefined;
  const fail = (inHand: InHand, error: unknown): void => {
    thrown ??= { error };
    inHand.from.giveUp();
  };
  const finish = async (inHand: InHand, handled: Promise<unknown>): Promise<void> => {
    try {
      await handled;
      core.processed(inHand);
    } catch (error) {
      fail(inHand, error);
    }
    // The other partitions are as they were: to look at all of them would cost each message so much.
    begin(inHand.from);
  };
  const hand = (message: M | undefined): void | Promise<void> =>
    message === undefined ? undefined : callFor(core.consumer, work.handler, message);
  /** A promise only where the handler, or the schema, gives one: to wait for nothing costs as well. */
  const handle = (inHand: InHand): Promise<void> | undefined => {
    try {
      const message = work.decode(inHand);
      const handled = message instanceof Promise ? message.then(hand) : hand(message);
      if (handled !== undefined) return finish(inHand, handled);
      core.processed(inHand);
    } catch (error) {
      fail(inHand, error);
    }
    return undefined;
  };
  const begin = (partition: AssignedPartition): void => {
    while (!isOver() && partition.inHandCount < work.concurrency) {
      const inHand = core.takeOf(partition);
      if (inHand === undefined) return;
      handle(inHand)?.catch(() => undefined);
    }
    if (isOver()) over();
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
