import type { ApiKey } from "@millrace/wire";
import { Chance } from "../chance.ts";
import { Canary } from "./canary.ts";
import type { CheckedReply } from "./check-reply.ts";
import type { Expectation } from "./expectation.ts";
import { FuzzBroker, type Plant } from "./fuzz-broker.ts";
import type { ClientEvents } from "./conversation.ts";
import { FuzzClient } from "./fuzz-client.ts";
import { Frames, type RequestCodecs } from "./frames.ts";
import { Knowledge } from "./knowledge.ts";
import { leaks } from "./leaks.ts";
import { setUpTopics, topicNames } from "./topics.ts";

/** What happens next. A recorded list of them can be played again, whole or in part. */
export type Step =
  | { readonly kind: "send"; readonly client: number; readonly chunks: readonly Uint8Array[] }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "leave"; readonly client: number; readonly how: "end" | "reset" }
  | { readonly kind: "canary" };

export interface EpisodeOptions {
  readonly seed: number;
  readonly steps: number;
  readonly codecs: RequestCodecs;
  /** Played instead of new ones. */
  readonly script?: readonly Step[];
  readonly plant?: Plant;
  readonly onReply?: (apiKey: ApiKey, version: number, reply: CheckedReply) => void;
  readonly onSent?: (expectation: Expectation) => void;
}

export interface EpisodeResult {
  readonly faults: readonly string[];
  readonly steps: readonly Step[];
  /** That one step held the thread: its own time, whatever else runs on the machine. */
  readonly stallMsMost: number;
}

const clientsMax = 4;
const canaryWaitMs = 5_000;
/** In which every session, rebalance and poll of clients that are gone ends. */
const forgetMs = 40 * 60_000;
const msPerStep = 60;
const faultsMax = 20;

/** One broker, some clients that send anything, and one that does not; then a restart. */
export class Episode {
  readonly #options: EpisodeOptions;
  readonly #chance: Chance;
  readonly #broker: FuzzBroker;
  readonly #knowledge: Knowledge = new Knowledge(topicNames);
  readonly #frames: Frames;
  readonly #clients: (FuzzClient | undefined)[] = [];
  readonly #faults: string[] = [];
  readonly #done: Step[] = [];
  readonly #canary: Canary;
  #canaryClient: FuzzClient | undefined;
  #canaryAnswer: unknown;
  #clientsMade = 0;
  #longestWaitMs = 0;
  #lastPassMs = -1;
  #stallMsMost = 0;

  constructor(options: EpisodeOptions) {
    this.#options = options;
    this.#chance = new Chance(options.seed);
    this.#broker = new FuzzBroker(new Chance(options.seed), options.plant);
    this.#frames = new Frames(options.codecs, this.#chance, this.#knowledge);
    const fault = (what: string): void => this.#fault(what);
    this.#canary = new Canary(new Chance(options.seed), (frame) => this.#ask(frame), fault);
  }

  async run(): Promise<EpisodeResult> {
    const rejected = (error: unknown): void => this.#fault(`unhandled rejection: ${textOf(error)}`);
    process.on("unhandledRejection", rejected);
    try {
      await this.#play();
    } catch (error) {
      this.#fault(`threw ${textOf(error)}`);
    } finally {
      process.off("unhandledRejection", rejected);
    }
    return { faults: this.#faults, steps: this.#done, stallMsMost: this.#stallMsMost };
  }

  async #play(): Promise<void> {
    await this.#broker.start();
    await this.#canary.setUp();
    await setUpTopics(this.#knowledge, (frame) => this.#ask(frame));
    const timersBefore = this.#broker.clock.pendingTimers;
    const { script, steps } = this.#options;
    for (let at = 0; at < (script?.length ?? steps); at += 1) {
      await this.#step(script?.[at] ?? this.#nextStep());
      if (this.#faults.length > 0) return;
    }
    await this.#end(timersBefore);
  }

  /** All clients go; nothing of them may stay; and a restart finds all that was acknowledged. */
  async #end(timersBefore: number): Promise<void> {
    await this.#canary.checkAll();
    for (const client of this.#clients) client?.close("end");
    this.#endCanary();
    await this.#pass(forgetMs);
    // A rebalance may be given longer than anybody waits here.
    const stillWait = this.#longestWaitMs > forgetMs / 2;
    for (const leak of leaks(this.#broker, { timersBefore, stillWait })) this.#fault(leak);
    this.#checkLog();
    if (this.#faults.length > 0) return;
    await this.#broker.restart(() => this.#pass(50));
    await this.#canary.checkAll();
    this.#endCanary();
    this.#checkLog();
  }

  #endCanary(): void {
    this.#canaryClient?.close("end");
    this.#canaryClient = undefined;
  }

  #nextStep(): Step {
    const chance = this.#chance;
    const kind = chance.below(1_000);
    if (kind < 60) return { kind: "canary" };
    if (kind < 160) return { kind: "pass", ms: chance.pick([1, 10, 150, 600, 3_000, 12_000]) };
    const client = chance.below(clientsMax);
    if (kind < 180) return { kind: "leave", client, how: chance.pick(["end", "reset"]) };
    const served = this.#broker.opened.dispatcher.servedApis();
    const count = chance.pick([1, 1, 1, 1, 2, 5]);
    const frames = Array.from({ length: count }, () => this.#frames.next(served));
    return { kind: "send", client, chunks: frames.flatMap((frame) => this.#cut(frame)) };
  }

  #cut(frame: Uint8Array): readonly Uint8Array[] {
    if (frame.length < 2 || !this.#chance.perThousand(100)) return [frame];
    const at = this.#chance.between(1, frame.length - 1);
    return [frame.subarray(0, at), frame.subarray(at)];
  }

  async #step(step: Step): Promise<void> {
    this.#done.push(step);
    const start = process.threadCpuUsage();
    switch (step.kind) {
      case "send":
        this.#send(step);
        break;
      case "pass":
        await this.#pass(step.ms);
        break;
      case "leave":
        this.#clients[step.client]?.close(step.how);
        break;
      case "canary":
        await this.#canary.work();
        break;
    }
    await this.#rest();
    const { system, user } = process.threadCpuUsage(start);
    this.#stallMsMost = Math.max(this.#stallMsMost, (system + user) / 1_000);
    this.#checkLog();
    // The log takes some lines of connections a second: enough for each of them, if time passes.
    if (this.#broker.clock.monotonicMs() - this.#lastPassMs < 1) await this.#pass(msPerStep);
    this.#lastPassMs = this.#broker.clock.monotonicMs();
  }

  #send({ client, chunks }: Extract<Step, { readonly kind: "send" }>): void {
    let sender = this.#clients[client];
    if (sender === undefined || sender.isClosed) {
      sender = this.#connect(`client-${client}`);
      this.#clients[client] = sender;
    }
    for (const chunk of chunks) sender.send(chunk.slice());
  }

  #connect(name: string, replied?: (reply: CheckedReply) => void): FuzzClient {
    this.#clientsMade += 1;
    const events: ClientEvents = {
      sent: (expectation) => {
        this.#noteWait(expectation);
        this.#options.onSent?.(expectation);
      },
      replied: (awaited, reply) => {
        if (replied !== undefined) return replied(reply);
        this.#knowledge.learn(awaited.apiKey, awaited.request, reply.response);
        this.#options.onReply?.(awaited.apiKey, awaited.version, reply);
      },
      fault: (what) => this.#fault(what),
    };
    return new FuzzClient(`${name}-${this.#clientsMade}`, this.#broker, events);
  }

  #noteWait(expectation: Expectation): void {
    if (expectation.kind === "close") return;
    const request = expectation.request as { readonly rebalanceTimeoutMs?: number };
    const waitMs = Math.abs(request.rebalanceTimeoutMs ?? 0);
    this.#longestWaitMs = Math.max(this.#longestWaitMs, waitMs);
  }

  /** The canary's way to the broker. */
  async #ask(frame: Uint8Array): Promise<unknown> {
    if (this.#canaryClient === undefined || this.#canaryClient.isClosed) {
      this.#canaryClient = this.#connect("canary", ({ response }) => {
        this.#canaryAnswer = response;
      });
    }
    this.#canaryAnswer = undefined;
    this.#canaryClient.send(frame);
    await this.#rest();
    const untilMs = this.#broker.clock.monotonicMs() + canaryWaitMs;
    while (this.#canaryAnswer === undefined && this.#broker.clock.monotonicMs() < untilMs) {
      await this.#pass(20);
    }
    return this.#canaryAnswer;
  }

  /** Lets time pass, timer by timer. */
  async #pass(ms: number): Promise<void> {
    const { clock } = this.#broker;
    const endMs = clock.monotonicMs() + ms;
    await this.#rest();
    for (let dueMs = clock.nextDueMs; dueMs !== undefined && dueMs <= endMs; ) {
      clock.fireNext();
      await this.#rest();
      dueMs = clock.nextDueMs;
    }
    clock.advance(Math.max(0, endMs - clock.monotonicMs()));
  }

  /** Until no promise is left to continue, no timer is due, and no byte is on its way. */
  async #rest(): Promise<void> {
    const { clock } = this.#broker;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      let moved = false;
      for (const client of [...this.#clients, this.#canaryClient])
        moved = !!client?.move() || moved;
      const isDue = clock.nextDueMs !== undefined && clock.nextDueMs <= clock.monotonicMs();
      if (isDue) clock.fireNext();
      if (!moved && !isDue) break;
    }
    for (const client of this.#clients) this.#checkAtRest(client);
  }

  #checkAtRest(client: FuzzClient | undefined): void {
    if (client === undefined || client.isWaiting) return;
    client.checkAtRest();
  }

  #checkLog(): void {
    const { lines } = this.#broker;
    for (const { fields, level, message } of lines) {
      const isFailure = level === "error" || message.includes("its request failed");
      if (isFailure) this.#fault(`the broker logged: ${message}: ${textOf(fields["err"])}`);
    }
    lines.length = 0;
  }

  #fault(what: string): void {
    if (this.#faults.length < faultsMax) this.#faults.push(what);
  }
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : ` because of ${textOf(error.cause)}`;
  return (error.stack ?? error.message).split("\n").slice(0, 6).join(" | ") + cause;
}
