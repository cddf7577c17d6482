import type { Target } from "../target.ts";
import { nameOf } from "./conversation.ts";
import { Coverage } from "./coverage.ts";
import { Episode, type EpisodeResult, type Step } from "./episode.ts";
import { FuzzBroker, type Plant } from "./fuzz-broker.ts";
import { requestCodecs, type RequestCodecs } from "./frames.ts";
import { Chance } from "../chance.ts";

const stepsDefault = 120;
/** Of the thread's time: far more than requests may take, far less than a hang. */
const stallMsMax = 3_000;
const shrinkRunsMax = 300;
/** Of requests: before it is said that an API or a version was left out. */
const requestsToTell = 20_000;

/** Every handler over connections in memory: whole cases of requests that know of each other. */
export class HandlerTarget implements Target {
  readonly name = "handlers";
  readonly #codecs: RequestCodecs;
  readonly #steps: number;
  readonly #plant: Plant | undefined;
  readonly #coverage: Coverage;
  #stallMsMost = 0;

  private constructor(
    codecs: RequestCodecs,
    coverage: Coverage,
    how: { readonly steps: number; readonly plant: Plant | undefined },
  ) {
    this.#codecs = codecs;
    this.#coverage = coverage;
    this.#steps = how.steps;
    this.#plant = how.plant;
  }

  static async open(
    how: { readonly steps?: number; readonly plant?: Plant } = {},
  ): Promise<HandlerTarget> {
    const broker = new FuzzBroker(new Chance(0), undefined);
    await broker.start();
    const coverage = new Coverage(broker.opened.dispatcher.servedApis(), requestsToTell);
    await broker.opened.close();
    const { steps = stepsDefault, plant } = how;
    return new HandlerTarget(await requestCodecs(), coverage, { steps, plant });
  }

  async run(seed: number): Promise<readonly string[]> {
    const { faults, stallMsMost } = await this.#episode(seed, undefined, true);
    this.#stallMsMost = Math.max(this.#stallMsMost, stallMsMost);
    const stall = stallMsMost > stallMsMax ? [`a step took ${stallMsMost.toFixed(0)} ms`] : [];
    return [...faults, ...stall];
  }

  /** The steps without which the case does not fail any more, as far as leaving some out shows. */
  async shrink(seed: number): Promise<readonly string[]> {
    const first = await this.#episode(seed, undefined, false);
    let steps = first.steps;
    let runs = 0;
    for (let size = Math.ceil(steps.length / 2); size >= 1; size = Math.floor(size / 2)) {
      for (let at = 0; at < steps.length && runs < shrinkRunsMax; runs += 1) {
        const rest = [...steps.slice(0, at), ...steps.slice(at + size)];
        const { faults } = await this.#episode(seed, rest, false);
        if (faults.length > 0) steps = rest;
        else at += size;
      }
    }
    const { faults } = await this.#episode(seed, steps, false);
    return [
      `${first.steps.length} steps, shrunk to ${steps.length}: ${faults[0] ?? "fails no more"}`,
      ...steps.map(describeStep),
    ];
  }

  coverage(): readonly string[] {
    const { requests, refused } = this.#coverage;
    return [
      `${requests} requests, ${refused} more whose connection had to be closed; ` +
        `the longest step took ${this.#stallMsMost.toFixed(0)} ms`,
      ...this.#coverage.table(),
    ];
  }

  missing(): readonly string[] {
    return this.#coverage.missing();
  }

  #episode(
    seed: number,
    script: readonly Step[] | undefined,
    counts: boolean,
  ): Promise<EpisodeResult> {
    return new Episode({
      ...{ seed, steps: this.#steps, codecs: this.#codecs },
      ...(script === undefined ? {} : { script }),
      ...(this.#plant === undefined ? {} : { plant: this.#plant }),
      onSent: (expectation) => {
        if (counts) this.#coverage.sent(expectation);
      },
      onReply: (apiKey, version, reply) => {
        if (counts) this.#coverage.replied(nameOf(apiKey, version), reply);
      },
    }).run();
  }
}

function describeStep(step: Step): string {
  switch (step.kind) {
    case "send": {
      const bytes = Buffer.concat(step.chunks);
      const hex = bytes.subarray(0, 300).toString("hex");
      return `  client ${step.client} sends ${bytes.length} bytes: ${hex}`;
    }
    case "pass":
      return `  ${step.ms} ms pass`;
    case "leave":
      return `  client ${step.client} leaves (${step.how})`;
    case "canary":
      return "  the canary works";
  }
}
