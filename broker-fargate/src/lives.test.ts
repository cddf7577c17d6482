import { VirtualClock } from "@millrace/adapter-memory";
import type { Logger } from "pino";
import { describe, expect, it } from "vitest";
import { lifeBeginMsMax } from "./limits.ts";
import { type Life, Lives } from "./lives.ts";

/** Lives that begin when the test says so, and what was done with them, in order. */
class Rig {
  readonly done: string[] = [];
  readonly clock = new VirtualClock();
  readonly lives: Lives;
  readonly #begins: ((refusal?: string) => void)[] = [];

  constructor() {
    const log = { warn: () => undefined } as unknown as Logger;
    const { clock } = this;
    this.lives = new Lives((lives) => this.#begin(lives.count), { clock, log });
    this.lives.onNext = () => void this.done.push("next");
    this.lives.onFailed = (cause) => void this.done.push(`failed: ${String(cause)}`);
  }

  /** The oldest of those that begin has begun. */
  async begun(): Promise<void> {
    this.#begins.shift()?.();
    await settled();
  }

  async refused(refusal: string): Promise<void> {
    this.#begins.shift()?.(refusal);
    await settled();
  }

  #begin(number: number): Promise<Life> {
    this.done.push(`begin ${number}`);
    const life = {
      incarnation: `life ${number}`,
      end: async () => void this.done.push(`end ${number}`),
      abandon: async () => void this.done.push(`abandon ${number}`),
    };
    return new Promise((resolve, reject) => {
      this.#begins.push((refusal) => {
        if (refusal === undefined) resolve(life as unknown as Life);
        else reject(refusal);
      });
    });
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("a life that is over", () => {
  it("is abandoned before the next one begins, once, however often that is told", async () => {
    const rig = new Rig();
    void rig.lives.begin();
    await rig.begun();
    rig.lives.over(1, "fenced");
    rig.lives.over(1, "fenced");
    await settled();
    await rig.begun();
    rig.lives.over(1, "fenced");
    await settled();
    expect(rig.done).toEqual(["begin 1", "abandon 1", "begin 2", "next"]);
    await rig.lives.end();
    expect(rig.done.at(-1)).toBe("end 2");
  });

  it("whose next one can't begin ends the process, and says why", async () => {
    const rig = new Rig();
    rig.lives.onFailed = (cause) => void rig.done.push(String(cause));
    void rig.lives.begin();
    await rig.begun();
    rig.lives.over(1, "fenced");
    await settled();
    expect(rig.lives.former).toBe("life 1");
    await rig.refused("replaced");
    expect(rig.done).toEqual(["begin 1", "abandon 1", "begin 2", "replaced"]);
  });

  it("whose next one can't begin, because a store is away, doesn't keep the process from ending", async () => {
    const rig = new Rig();
    void rig.lives.begin();
    await rig.begun();
    rig.lives.over(1, "fenced");
    await settled();
    const ending = rig.lives.end().then(() => rig.done.push("ended"));
    rig.clock.advance(lifeBeginMsMax - 1);
    await settled();
    expect(rig.done).toEqual(["begin 1", "abandon 1", "begin 2"]);
    rig.clock.advance(1);
    await ending;
    expect(rig.done).toEqual(["begin 1", "abandon 1", "begin 2", "ended"]);
    // Its store is closed by then: that it fails is no matter of the process any more.
    await rig.refused("closed");
    expect(rig.done).toEqual(["begin 1", "abandon 1", "begin 2", "ended"]);
  });

  it("in the very turn in which it began is followed by another one", async () => {
    for (let turns = 0; turns < 8; turns += 1) {
      const rig = new Rig();
      rig.lives.onNext = () => {
        let later = Promise.resolve();
        for (let turn = 0; turn < turns; turn += 1) later = later.then(() => undefined);
        void later.then(() => rig.lives.over(2, "fenced"));
      };
      void rig.lives.begin();
      await rig.begun();
      rig.lives.over(1, "fenced");
      await settled();
      await rig.begun();
      expect(rig.done).toEqual(["begin 1", "abandon 1", "begin 2", "abandon 2", "begin 3"]);
    }
  });

  it("before it has begun is abandoned when it has, and no other begins beside it", async () => {
    const rig = new Rig();
    void rig.lives.begin();
    rig.lives.over(1, "fenced");
    await settled();
    expect(rig.done).toEqual(["begin 1"]);
    await rig.begun();
    expect(rig.done).toEqual(["begin 1", "abandon 1", "begin 2"]);
  });

  it("while it takes the place of another is replaced, too", async () => {
    const rig = new Rig();
    void rig.lives.begin();
    await rig.begun();
    rig.lives.over(1, "fenced");
    await settled();
    rig.lives.over(2, "fenced again");
    await rig.begun();
    await rig.begun();
    expect(rig.done).toEqual(["begin 1", "abandon 1", "begin 2", "abandon 2", "begin 3", "next"]);
  });
});
