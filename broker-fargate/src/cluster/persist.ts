import {
  type Clock,
  type Item,
  MetadataError,
  type MetadataStore,
  type Random,
  type TransactOutcome,
  type Write,
} from "@millrace/core";

/** The store with what bounded retries need. */
export interface StoreAccess {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly random: Random;
}

/** How often a failing call is tried, and the longest waits between tries: 20, 40, 80 … ms. */
export const attemptsMax = 7;
const firstBackoffMs = 20;

export type Refused = readonly { readonly key: string; readonly found: Item | undefined }[];

/**
 * A transaction with bounded retries, each after a wait with jitter. When an earlier try may have
 * had its effect, its own write makes the next one's condition fail: `isMine` then tells, from what
 * was found, whether the effect is there, and a refusal becomes the success that it hid.
 *
 * Throws the last MetadataError when no try got an answer; its `applied` speaks for all of them.
 */
export async function transact(
  access: StoreAccess,
  writes: readonly Write[],
  isMine: (refused: Refused) => boolean | Promise<boolean>,
): Promise<TransactOutcome> {
  let mayBeApplied = false;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const outcome = await access.store.transact(writes);
      if (outcome.ok || !mayBeApplied) return outcome;
      return (await isMine(outcome.refused)) ? { ok: true } : outcome;
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      mayBeApplied ||= error.applied === "maybe";
      if (!error.retriable || attempt === attemptsMax) throw given(error, mayBeApplied);
      await backOff(access, attempt);
    }
  }
}

/** A strong read with bounded retries. */
export function read(access: StoreAccess, key: string): Promise<Item | undefined> {
  return retried(access, () => access.store.get(key));
}

/** Every item of a range, page by page, each with bounded retries. */
export async function* readAll(
  access: StoreAccess,
  range: { readonly from: string; readonly to: string; readonly limit: number },
): AsyncGenerator<Item> {
  let from: string | undefined = range.from;
  while (from !== undefined) {
    const start: string = from;
    const page = await retried(access, () => access.store.range({ ...range, from: start }));
    yield* page.items;
    from = page.next;
  }
}

/** A read with bounded retries. */
export async function retried<Result>(
  access: StoreAccess,
  call: () => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof MetadataError) || !error.retriable) throw error;
      if (attempt === attemptsMax) throw error;
      await backOff(access, attempt);
    }
  }
}

/** Waits between half and the whole of the attempt's time, so that callers do not meet again. */
export function backOff(access: StoreAccess, attempt: number): Promise<void> {
  const longestMs = firstBackoffMs * 2 ** (attempt - 1);
  const waitMs = longestMs / 2 + access.random.below(longestMs / 2);
  return new Promise((resolve) => access.clock.after(waitMs, resolve));
}

/** What the last of several tries failed with, as it speaks for all of them. */
export function given(error: MetadataError, mayBeApplied: boolean): MetadataError {
  if (!mayBeApplied || error.applied === "maybe") return error;
  const { message, retriable } = error;
  return new MetadataError(message, { retriable, applied: "maybe", cause: error });
}
