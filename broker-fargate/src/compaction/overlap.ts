/** What is done to each piece, one after another; see `overlapped`. */
export interface OverlappedSteps<Piece, Outcome> {
  /** The next piece; undefined: there are no more. */
  readonly read: () => Promise<Piece | undefined>;
  /** Its outcome; undefined: nothing after it is wanted, and nothing of it is left to take. */
  readonly work: (piece: Piece) => Promise<Outcome | undefined>;
  readonly take: (outcome: Outcome) => Promise<void>;
}

/** What a generator gives, one after another. */
export function readerOf<Piece>(
  pieces: AsyncGenerator<Piece, undefined>,
): () => Promise<Piece | undefined> {
  return async () => (await pieces.next()).value;
}

/**
 * While a piece is worked on, the outcome of the one before is taken and the one behind is read: three
 * are in memory. Each step sees the pieces in their order, one at a time, and a piece is worked on
 * when the work on the one before is over. Rejects with what a step rejects with, when no step is
 * under way any more.
 */
export async function overlapped<Piece, Outcome>(
  steps: OverlappedSteps<Piece, Outcome>,
): Promise<void> {
  const { read, take, work } = steps;
  let outcome: Outcome | undefined;
  const takeAndRead = async (): Promise<Piece | undefined> => {
    if (outcome !== undefined) await take(outcome);
    return read();
  };
  for (let piece = await read(); piece !== undefined; ) {
    const [worked, next] = await Promise.allSettled([work(piece), takeAndRead()]);
    if (worked.status === "rejected") throw worked.reason;
    if (next.status === "rejected") throw next.reason;
    outcome = worked.value;
    piece = outcome === undefined ? undefined : next.value;
  }
  if (outcome !== undefined) await take(outcome);
}
