import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { brokerId, type IncarnationId, incarnationId } from "../ids.ts";
import {
  aloneEvidenceMsMax,
  deadAfterMs,
  evidenceMsMax,
  heartbeatMs,
  joinedDeadAfterMs,
  massWaitMs,
  rankMs,
  readGapMsMax,
  stillAfterMs,
} from "./limits.ts";
import { mayAnswer } from "./evidence.ts";
import {
  deadMembers,
  deadToActOn,
  declaredDead,
  newWatch,
  rankOf,
  sawHeartbeats,
  stillMs,
  type Watch,
  wroteHeartbeat,
} from "./watch.ts";

const life = (n: number): IncarnationId => incarnationId(`${n}-${"ab".repeat(16)}`);
const [me, you, third, fourth] = [life(1), life(2), life(3), life(4)];

/** A watcher in its rhythm, of members that heartbeat until they stop. */
class Watching {
  watch: Watch = newWatch(me);
  nowMs = 1_000;
  readonly stopped = new Set<IncarnationId>();
  readonly alone = new Set<IncarnationId>();
  readonly #counters = new Map<IncarnationId, number>();
  readonly #members: IncarnationId[];

  constructor(...members: readonly IncarnationId[]) {
    this.#members = [...members];
    this.go(3 * heartbeatMs);
  }

  /** Reads and writes every 500 ms for so long. */
  go(ms: number, fails: { reads?: boolean; writes?: boolean } = {}): this {
    const untilMs = this.nowMs + ms;
    while (this.nowMs < untilMs) {
      this.nowMs += heartbeatMs;
      this.beat();
      if (fails.reads !== true) this.read();
      if (fails.writes !== true) this.watch = wroteHeartbeat(this.watch, this.nowMs);
    }
    return this;
  }

  beat(): void {
    for (const one of this.#members) {
      if (!this.stopped.has(one)) this.#counters.set(one, (this.#counters.get(one) ?? 0) + 1);
    }
  }

  read(begunMs = this.nowMs): void {
    const members = this.#members.map((incarnation) => {
      const counter = this.#counters.get(incarnation);
      return { incarnation, counter, isAlone: this.alone.has(incarnation) };
    });
    this.watch = sawHeartbeats(this.watch, { begunMs, nowMs: this.nowMs, members });
  }

  join(one: IncarnationId): void {
    this.#members.push(one);
  }

  close(one: IncarnationId): void {
    this.#members.splice(this.#members.indexOf(one), 1);
  }

  get dead(): readonly IncarnationId[] {
    return deadMembers(this.watch);
  }
}

describe("the watch over heartbeats", () => {
  it("finds dead whose counter stood still for 2.5 s of successful reads, and nobody else", () => {
    const watching = new Watching(me, you, third);
    watching.stopped.add(you);
    expect(watching.go(deadAfterMs - heartbeatMs).dead).toEqual([]);
    expect(watching.go(heartbeatMs).dead).toEqual([you]);
    expect(stillMs(watching.watch, third)).toBe(0);
  });

  it("does not count time in which its reads failed", () => {
    const watching = new Watching(me, you, third);
    watching.stopped.add(you);
    watching.go(2_000).go(60_000, { reads: true });
    expect(watching.dead).toEqual([]);
    expect(watching.go(deadAfterMs).dead).toEqual([]);
    expect(watching.go(heartbeatMs).dead).toEqual([you]);
  });

  it("declares nobody dead when it wakes up itself", () => {
    const watching = new Watching(me, you, third);
    watching.stopped.add(you);
    watching.go(2_000);
    // A read was on its way when the process was paused; its answer is handled on waking up.
    const begunMs = watching.nowMs + heartbeatMs;
    watching.nowMs += 30_000;
    watching.read(begunMs);
    expect(watching.dead).toEqual([]);
    watching.read();
    expect(watching.dead).toEqual([]);
    watching.stopped.delete(you);
    expect(watching.go(10_000).dead).toEqual([]);
  });

  it("counts what lies between reads up to a second apart, and no more", () => {
    for (const [gapMs, dead] of [
      [readGapMsMax, [you]],
      [readGapMsMax + 1, []],
    ] as const) {
      const watching = new Watching(me, you, third);
      watching.stopped.add(you);
      for (let n = 0; n < 8; n += 1) {
        watching.nowMs += gapMs;
        watching.beat();
        watching.read();
      }
      expect(watching.dead).toEqual(dead);
    }
  });

  it("ignores an answer that a later read's has overtaken", () => {
    const watching = new Watching(me, you);
    watching.go(heartbeatMs);
    const { watch } = watching;
    watching.read(watching.nowMs - heartbeatMs);
    expect(watching.watch).toBe(watch);
  });

  it("gives one who was never seen to move the time of a broker that was alone", () => {
    const watching = new Watching(me);
    watching.stopped.add(you);
    watching.join(you);
    expect(watching.go(joinedDeadAfterMs).dead).toEqual([]);
    expect(watching.go(heartbeatMs).dead).toEqual([you]);
  });

  it("gives the same to one who says that it is alone, until it says so no more", () => {
    const watching = new Watching(me, you);
    watching.alone.add(you);
    watching.go(2 * heartbeatMs);
    watching.stopped.add(you);
    expect(watching.go(joinedDeadAfterMs - heartbeatMs).dead).toEqual([]);
    watching.stopped.delete(you);
    watching.alone.delete(you);
    watching.go(heartbeatMs);
    watching.stopped.add(you);
    expect(watching.go(deadAfterMs).dead).toEqual([you]);
  });

  it("knows nothing of those whose item is closed, and a former life tells nothing of the next", () => {
    const watching = new Watching(me, you, third);
    watching.stopped.add(you);
    watching.go(deadAfterMs + heartbeatMs);
    watching.close(you);
    expect(watching.go(heartbeatMs).dead).toEqual([]);
    watching.join(fourth);
    expect(watching.go(deadAfterMs).dead).toEqual([]);
    expect(stillMs(watching.watch, you)).toBe(0);
  });

  it("waits 5 s more of own reads and writes when most stand still at once", () => {
    const watching = new Watching(me, you, third);
    watching.stopped.add(you).add(third);
    watching.go(deadAfterMs);
    expect(watching.dead).toEqual([]);
    expect(watching.go(massWaitMs - heartbeatMs).dead).toEqual([]);
    expect(watching.go(heartbeatMs).dead).toEqual([you, third]);
  });

  it("counts those among them that stopped up to a second later", () => {
    for (const [laterMs, dead] of [
      [deadAfterMs - stillAfterMs, []],
      [deadAfterMs - stillAfterMs + heartbeatMs, [you]],
    ] as const) {
      const watching = new Watching(me, you, third);
      watching.stopped.add(you);
      watching.go(laterMs);
      watching.stopped.add(third);
      expect(watching.go(deadAfterMs - laterMs).dead).toEqual(dead);
    }
  });

  it("begins these 5 s again when its own writes, or reads, did not succeed", () => {
    for (const fails of [{ writes: true }, { reads: true, writes: true }]) {
      const watching = new Watching(me, you, third);
      watching.stopped.add(you).add(third);
      watching.go(deadAfterMs + heartbeatMs).go(massWaitMs - heartbeatMs);
      watching.go(2 * readGapMsMax, fails);
      expect(watching.go(massWaitMs - heartbeatMs).dead).toEqual([]);
      watching.go(deadAfterMs + 2 * heartbeatMs);
      expect(watching.dead).toEqual([you, third]);
    }
  });

  it("does not wait where one of two stands still, nor for those that were declared dead before", () => {
    const two = new Watching(me, you);
    two.stopped.add(you);
    expect(two.go(deadAfterMs + heartbeatMs).dead).toEqual([you]);
    const three = new Watching(me, you, third);
    three.stopped.add(you);
    three.go(deadAfterMs + heartbeatMs);
    three.watch = declaredDead(three.watch, [you]);
    expect(three.dead).toEqual([]);
    three.stopped.add(third);
    expect(three.go(deadAfterMs + heartbeatMs).dead).toEqual([third]);
  });

  it("watches one again that moves after it was declared dead", () => {
    const watching = new Watching(me, you, third);
    watching.stopped.add(you);
    watching.go(deadAfterMs + heartbeatMs);
    watching.watch = declaredDead(watching.watch, [you]);
    watching.stopped.delete(you);
    watching.go(heartbeatMs);
    expect(watching.watch.declared.size).toBe(0);
    watching.stopped.add(you);
    expect(watching.go(deadAfterMs + heartbeatMs).dead).toEqual([you]);
  });

  it("never finds dead whose counter moves within 2 s, whatever its reads do", () => {
    const gap = fc.integer({ min: 1, max: 6_000 });
    fc.assert(
      fc.property(fc.array(fc.record({ gapMs: gap, lateMs: fc.nat(3_000) })), (reads) => {
        let watch = newWatch(me);
        let nowMs = 0;
        for (const { gapMs, lateMs } of reads) {
          const begunMs = nowMs + gapMs;
          nowMs = begunMs + lateMs;
          const counter = Math.floor(begunMs / 2_000);
          const members = [{ incarnation: you, counter }];
          watch = sawHeartbeats(watch, { begunMs, nowMs, members });
          expect(deadMembers(watch)).toEqual([]);
        }
      }),
      { numRuns: 200, seed: 6 },
    );
  });
});

describe("who acts on the dead", () => {
  const member = (incarnation: IncarnationId, id: number, isDraining = false) => {
    return { incarnation, brokerId: brokerId(id), isDraining };
  };

  it("is the controller at once, and the others one after another", () => {
    const watching = new Watching(me, you, third, fourth);
    const members = [member(fourth, 1), member(me, 2), member(third, 3), member(you, 4)];
    expect(rankOf(watching.watch, third, members)).toBe(2);
    expect(rankOf(watching.watch, me, members)).toBe(0);
    watching.stopped.add(you);
    watching.go(deadAfterMs + heartbeatMs);
    expect(deadToActOn(watching.watch, 0)).toEqual([you]);
    expect(deadToActOn(watching.watch, 2)).toEqual([]);
    watching.go(2 * rankMs);
    expect(deadToActOn(watching.watch, 2)).toEqual([you]);
  });

  it("is the next in line at once when the controller is dead, those who leave last", () => {
    const watching = new Watching(me, you, third, fourth);
    watching.stopped.add(you);
    watching.go(deadAfterMs + heartbeatMs);
    const members = [member(you, 1), member(third, 2, true), member(me, 3), member(fourth, 4)];
    expect(rankOf(watching.watch, you, members)).toBe(0);
    expect(rankOf(watching.watch, undefined, [member(third, 2), member(me, 3)])).toBe(1);
  });
});

describe("a coordinator's evidence", () => {
  const at = (readBegunMs: number | undefined, turnedMs: number, isOnlyMember = false) => {
    return { readBegunMs, turnedMs, isOnlyMember };
  };

  it("ends 3 s after its last strong read began", () => {
    expect(mayAnswer(at(undefined, 10_000), 10_000)).toBe(false);
    expect(mayAnswer(at(10_000, 13_000), 10_000 + evidenceMsMax)).toBe(true);
    expect(mayAnswer(at(10_000, 13_000), 10_001 + evidenceMsMax)).toBe(false);
  });

  it("lasts longer for the only member, until a joiner could take over", () => {
    const nowMs = 10_000 + aloneEvidenceMsMax;
    expect(mayAnswer(at(10_000, nowMs, true), nowMs)).toBe(true);
    expect(mayAnswer(at(10_000, nowMs + 1, true), nowMs + 1)).toBe(false);
  });

  it("ends when the event loop stalled as long, however new the read", () => {
    expect(mayAnswer(at(13_000, 10_000), 10_000 + evidenceMsMax)).toBe(false);
    expect(mayAnswer(at(13_000, 10_001), 10_000 + evidenceMsMax)).toBe(true);
  });
});
