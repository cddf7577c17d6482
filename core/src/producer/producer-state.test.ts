import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PendingProducers } from "./pending-producers.ts";
import { ProducerState } from "./producer-state.ts";
import type { ProducerBatch } from "./sequence.ts";

const maxSequence = 2 ** 31 - 1;

function batch(baseSequence: number, changes: Partial<ProducerBatch> = {}): ProducerBatch {
  const { producerId = 7, producerEpoch = 0, lastSequence = baseSequence } = changes;
  const count = (lastSequence - baseSequence + 2 ** 31) % 2 ** 31;
  const baseOffset = changes.baseOffset ?? baseSequence;
  return {
    producerId,
    producerEpoch,
    baseSequence,
    lastSequence,
    baseOffset,
    lastOffset: baseOffset + count,
    maxTimestamp: 1000 + baseSequence,
    isTransactional: false,
    isControl: false,
    ...changes,
  };
}

function stateOf(...batches: readonly ProducerBatch[]): ProducerState {
  const state = ProducerState.empty();
  for (const one of batches) state.apply(one);
  return state;
}

describe("a producer's sequence", () => {
  test("may be anything while the producer is unknown", () => {
    const state = ProducerState.empty();
    for (const sequence of [0, 1, 77, maxSequence]) {
      expect(state.check(batch(sequence)).kind).toBe("append");
    }
  });

  test("goes on from the last one, without gaps", () => {
    const state = stateOf(batch(0, { lastSequence: 4 }));
    expect(state.check(batch(5, { lastSequence: 9 })).kind).toBe("append");
    expect(state.check(batch(6)).kind).toBe("outOfOrderSequence");
    expect(state.check(batch(3)).kind).toBe("outOfOrderSequence");
    expect(state.check(batch(0, { lastSequence: 5 })).kind).toBe("outOfOrderSequence");
    expect(state.check(batch(4)).kind).toBe("outOfOrderSequence");
  });

  test("is that of a duplicate for the last five batches, and out of order for older ones", () => {
    const state = stateOf(...[0, 1, 2, 3, 4, 5].map((sequence) => batch(sequence)));
    expect(state.check(batch(0)).kind).toBe("outOfOrderSequence");
    for (const sequence of [1, 2, 3, 4, 5]) {
      expect(state.check(batch(sequence))).toEqual({
        kind: "duplicate",
        baseOffset: sequence,
        lastOffset: sequence,
        timestamp: 1000 + sequence,
      });
    }
    expect(state.check(batch(6)).kind).toBe("append");
  });

  test("goes from 2^31 - 1 on to 0, between batches and within one", () => {
    const between = stateOf(batch(maxSequence - 1, { lastSequence: maxSequence }));
    expect(between.check(batch(0)).kind).toBe("append");
    expect(between.check(batch(1)).kind).toBe("outOfOrderSequence");
    const within = stateOf(batch(maxSequence, { lastSequence: 1 }));
    expect(within.check(batch(maxSequence, { lastSequence: 1 })).kind).toBe("duplicate");
    expect(within.check(batch(2)).kind).toBe("append");
    expect(within.check(batch(0)).kind).toBe("outOfOrderSequence");
  });

  test("begins with 0 under a new epoch, and ends the old one", () => {
    const state = stateOf(batch(0), batch(1));
    expect(state.check(batch(2, { producerEpoch: 1 })).kind).toBe("outOfOrderSequence");
    expect(state.check(batch(0, { producerEpoch: 1 })).kind).toBe("append");
    state.apply(batch(0, { producerEpoch: 1, baseOffset: 9 }));
    expect(state.check(batch(2)).kind).toBe("invalidProducerEpoch");
    expect(state.check(batch(0)).kind).toBe("invalidProducerEpoch");
    expect(state.check(batch(0, { producerEpoch: 1 }))).toMatchObject({
      kind: "duplicate",
      baseOffset: 9,
    });
    expect(state.check(batch(1, { producerEpoch: 1 })).kind).toBe("append");
  });

  test("is forgotten once the producer has expired", () => {
    const state = stateOf(batch(0, { maxTimestamp: 1000 }));
    state.expire(1999, 1000);
    expect(state.check(batch(50)).kind).toBe("outOfOrderSequence");
    state.expire(2000, 1000);
    expect(state.check(batch(50)).kind).toBe("append");
  });

  test("of the least recent producer is forgotten when there are too many", () => {
    const state = ProducerState.empty(2);
    for (const producerId of [1, 2, 1, 3]) {
      const baseSequence = state.get(producerId) === undefined ? 0 : 1;
      state.apply(batch(baseSequence, { producerId }));
    }
    expect([...state.entries()].map(([id]) => id)).toEqual([1, 3]);
  });

  test("says nothing of producers without an id", () => {
    const state = stateOf(batch(-1, { producerId: -1 }));
    expect(state.size).toBe(0);
  });
});

describe("transactions", () => {
  const open = { isTransactional: true };

  test("hold back the last stable offset from their first batch to their marker", () => {
    const state = stateOf(
      batch(0, { ...open, baseOffset: 10 }),
      batch(0, { ...open, producerId: 8, baseOffset: 11 }),
      batch(1, { ...open, baseOffset: 12 }),
    );
    expect(state.firstUnstableOffset).toBe(10);
    state.apply(batch(-1, { isControl: true, isTransactional: true, baseOffset: 13 }));
    expect(state.firstUnstableOffset).toBe(11);
    expect(state.check(batch(2, open)).kind).toBe("append");
    state.expire(Number.MAX_SAFE_INTEGER, 0);
    expect([...state.entries()].map(([id]) => id)).toEqual([8]);
    state.apply(batch(-1, { producerId: 8, isControl: true, producerEpoch: 1, baseOffset: 14 }));
    expect(state.firstUnstableOffset).toBeUndefined();
    expect(state.check(batch(1, { producerId: 8 })).kind).toBe("invalidProducerEpoch");
    const next = { producerId: 8, producerEpoch: 1 };
    expect(state.check(batch(0, next)).kind).toBe("append");
    expect(state.check(batch(1, next)).kind).toBe("outOfOrderSequence");
  });
});

/** What a client does with one producer id: sends next, sends again, skips, or begins an epoch. */
const action = fc.record({
  producerId: fc.integer({ min: 1, max: 3 }),
  kind: fc.constantFrom("next", "next", "next", "again", "skip", "epoch", "old"),
  count: fc.integer({ min: 1, max: 4 }),
  back: fc.integer({ min: 0, max: 7 }),
});

test("a snapshot gives the same state again", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const state = ProducerState.empty();
      actions.forEach(({ producerId, kind, count }, i) => {
        const known = state.get(producerId);
        const epoch = (known?.epoch ?? 0) + (kind === "epoch" ? 1 : 0);
        const base =
          kind === "epoch" ? 0 : ((known?.batches.at(-1)?.lastSequence ?? -1) + 1) % 2 ** 31;
        const isTransactional = kind === "skip";
        const lastSequence = base + count - 1;
        state.apply(
          batch(base, {
            producerId,
            producerEpoch: epoch,
            lastSequence,
            baseOffset: i * 4,
            isTransactional,
          }),
        );
      });
      const again = ProducerState.restore(state.snapshot());
      expect([...(again?.entries() ?? [])]).toEqual([...state.entries()]);
      expect(again?.firstUnstableOffset).toBe(state.firstUnstableOffset);
      expect(again?.snapshot()).toEqual(state.snapshot());
      for (const cut of [0, 3, 5, state.snapshot().length - 1]) {
        const bytes = state.snapshot().subarray(0, cut);
        expect(bytes.length === 4 ? undefined : ProducerState.restore(bytes)).toBeUndefined();
      }
    }),
  );
});

test("with up to five requests in flight, every batch lands once and in order, whatever is lost", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 20, maxLength: 300 }),
      fc.integer({ min: 0, max: 12 }),
      (chances, beforeWrap) => {
        const state = ProducerState.empty();
        const log: number[] = [];
        const first = maxSequence - beforeWrap;
        state.apply(batch(first, { baseOffset: 0 }));
        // Batch n has one record, and the sequence n after the first one; it waits for its reply.
        const sequenceOf = (n: number): number => (first + n) % 2 ** 31;
        let acked = 0;
        for (const chance of chances) {
          const inFlight = [1, 2, 3, 4, 5].map((n) => acked + n);
          const n = inFlight[chance % 5] ?? acked + 1;
          const check = state.check(batch(sequenceOf(n)));
          const isNext = n === log.length + 1;
          expect(check.kind).toBe(
            isNext ? "append" : n <= log.length ? "duplicate" : "outOfOrderSequence",
          );
          if (check.kind === "duplicate") expect(check.baseOffset).toBe(n);
          if (isNext) {
            log.push(n);
            state.apply(batch(sequenceOf(n), { baseOffset: n }));
          }
          // The reply may be lost; the client then sends again.
          if (chance >= 5 && acked < log.length) acked += 1;
        }
        expect(log).toEqual(log.map((_, i) => i + 1));
      },
    ),
  );
});

test("pending producers decide as the log's will once it has the batches, and never change it", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const log = { producers: ProducerState.empty() };
      const pending = new PendingProducers(log);
      const ahead = ProducerState.empty();
      const waiting: ProducerBatch[] = [];
      let endOffset = 0;
      for (const { producerId, kind, count, back } of actions) {
        const known = ahead.get(producerId);
        const last = known?.batches.at(-1);
        const again = known?.batches.at(-1 - (back % 5));
        const producerEpoch =
          (known?.epoch ?? 1) + (kind === "epoch" ? 1 : kind === "old" ? -1 : 0);
        const base = kind === "epoch" ? 0 : (last?.lastSequence ?? -1) + (kind === "skip" ? 2 : 1);
        const repeated = kind === "again" && again !== undefined;
        const sent = batch(repeated ? again.baseSequence : base, {
          producerId,
          producerEpoch,
          lastSequence: repeated ? again.lastSequence : base + count - 1,
          baseOffset: endOffset,
        });
        const decision = pending.check(sent);
        expect(decision).toEqual(ahead.check(sent));
        if (decision.kind === "append") {
          pending.apply(sent);
          ahead.apply(sent);
          waiting.push(sent);
          endOffset = sent.lastOffset + 1;
        }
        if (back > 3) continue;
        for (const landed of waiting.splice(0, back)) {
          log.producers.apply(landed);
          pending.settle(landed.lastOffset + 1);
        }
      }
      for (const landed of waiting) log.producers.apply(landed);
      pending.settle(endOffset);
      expect(log.producers.snapshot()).toEqual(ahead.snapshot());
    }),
  );
});
