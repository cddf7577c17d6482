import type { Brokers } from "./client.ts";
import type { Anomaly } from "./history.ts";

/** How long the parts of a run may take before something hangs, in virtual time. */
export const setUpMsMax = 120_000;
export const settleMsMax = 150_000;
export const drainMsMax = 150_000;

interface Staged {
  readonly brokers: Brokers;
  readonly anomalies: Anomaly[];
  /** The run ends early when so many were seen from inside. */
  readonly anomaliesMax: number;
  /** No broker can ever start again. */
  readonly isBroken: () => boolean;
  readonly afterEvent: () => void;
  /** What the brokers do, for who is stuck. */
  readonly state: () => string;
}

/** Lets the parts of a run happen one after another, and says where one does not come to its end. */
export class Stage {
  readonly #staged: Staged;

  constructor(staged: Staged) {
    this.#staged = staged;
  }

  /** Enough is wrong that going on would show nothing new. */
  get isHopeless(): boolean {
    const { anomalies, anomaliesMax, isBroken } = this.#staged;
    return isBroken() || anomalies.length >= anomaliesMax;
  }

  /** Whether the work came to its end, in time and well. */
  async phase(name: string, work: Promise<void>, msMax: number): Promise<boolean> {
    const { brokers, state } = this.#staged;
    const progress = { is: "running" };
    work.then(
      () => {
        progress.is = "done";
      },
      (error: unknown) => {
        progress.is = "failed";
        brokers.note(`${name}: ${String(error)}`);
      },
    );
    await this.runUntil(() => progress.is !== "running", brokers.world.nowMs + msMax);
    if (this.isHopeless) return false;
    if (progress.is === "running") this.stuck(`${name} takes too long, ${state()}`);
    return progress.is === "done";
  }

  /** Whether it is done in time; `left`: what is not, if not. */
  async settle(isDone: () => boolean, left: () => string): Promise<boolean> {
    const { brokers, state } = this.#staged;
    const outcome = await this.runUntil(isDone, brokers.world.nowMs + settleMsMax);
    if (this.isHopeless) return false;
    if (outcome === "done") return true;
    this.stuck(`clients do not come to their end: ${left()}, ${state()}`);
    return false;
  }

  stuck(what: string): void {
    this.#staged.brokers.world.trace.add(`stuck: ${what}`);
    this.#staged.anomalies.push({ kind: "stuck", what });
  }

  runUntil(isDone: () => boolean, untilMs: number): Promise<"done" | "timeIsUp"> {
    const { afterEvent, brokers } = this.#staged;
    const isOver = (): boolean => this.isHopeless || isDone();
    return brokers.world.runUntil(isOver, { untilMs, afterEvent });
  }
}
