import { type ApiKey, apis, kafkaError } from "@millrace/wire";
import type { Target } from "../target.ts";
import type { CheckedReply } from "./check-reply.ts";
import { Episode, type EpisodeResult, type Step } from "./episode.ts";
import type { Expectation } from "./expectation.ts";
import { FuzzBroker, type Plant } from "./fuzz-broker.ts";
import { nameOf } from "./fuzz-client.ts";
import { requestCodecs, type RequestCodecs } from "./frames.ts";
import { Chance } from "../chance.ts";

const stepsDefault = 120;
/** Of the thread's time: far more than requests may take, far less than a hang. */
const stallMsMax = 3_000;
const shrinkRunsMax = 300;
/** Of requests: before it is said that an API or a version was left out. */
const requestsToTell = 20_000;

interface Row {
  readonly apiKey: ApiKey;
  readonly version: number;
  requests: number;
  answers: number;
  withoutError: number;
  readonly codes: Map<number, number>;
}

/** Every handler over live connections: whole cases of requests that know of each other. */
export class HandlerTarget implements Target {
  readonly name = "handlers";
  readonly #codecs: RequestCodecs;
  readonly #steps: number;
  readonly #plant: Plant | undefined;
  readonly #rows: ReadonlyMap<string, Row>;
  #requests = 0;
  #refused = 0;
  #stallMsMost = 0;

  private constructor(
    codecs: RequestCodecs,
    rows: ReadonlyMap<string, Row>,
    how: { readonly steps: number; readonly plant: Plant | undefined },
  ) {
    this.#codecs = codecs;
    this.#rows = rows;
    this.#steps = how.steps;
    this.#plant = how.plant;
  }

  static async open(
    how: { readonly steps?: number; readonly plant?: Plant } = {},
  ): Promise<HandlerTarget> {
    const broker = new FuzzBroker(new Chance(0), undefined);
    await broker.start();
    const rows = new Map<string, Row>();
    for (const { apiKey, maxVersion } of broker.opened.dispatcher.servedApis()) {
      for (let version = apis[apiKey].minVersion; version <= maxVersion; version += 1) {
        const counts = { requests: 0, answers: 0, withoutError: 0, codes: new Map() };
        rows.set(nameOf(apiKey, version), { apiKey, version, ...counts });
      }
    }
    await broker.opened.close();
    const { steps = stepsDefault, plant } = how;
    return new HandlerTarget(await requestCodecs(), rows, { steps, plant });
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
    const table = [...this.#rows].map(([name, row]) => {
      const share = ((100 * row.withoutError) / Math.max(1, row.answers)).toFixed(0);
      const codes = [...row.codes.keys()]
        .sort((a, b) => a - b)
        .map((code) => kafkaError(code).name);
      const counts = `${String(row.requests).padStart(7)} ${String(row.answers).padStart(7)}`;
      return `${name.padEnd(28)} ${counts} ${share.padStart(5)} %  ${codes.join(" ")}`;
    });
    return [
      `${this.#requests} requests, ${this.#refused} more whose connection had to be closed; ` +
        `the longest step took ${this.#stallMsMost.toFixed(0)} ms`,
      `${"API".padEnd(28)} requests answers  no error  error codes`,
      ...table,
    ];
  }

  missing(): readonly string[] {
    if (this.#requests < requestsToTell) return [];
    return [...this.#rows].flatMap(([name, { answers, withoutError }]) => {
      if (answers === 0) return [`${name} was never answered`];
      return withoutError === 0 ? [`${name} was never answered without an error`] : [];
    });
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
        if (counts) this.#countSent(expectation);
      },
      onReply: (apiKey, version, reply) => {
        if (counts) this.#countReply(nameOf(apiKey, version), reply);
      },
    }).run();
  }

  #countSent(expectation: Expectation): void {
    if (expectation.kind === "close") {
      this.#refused += 1;
      return;
    }
    this.#requests += 1;
    const row = this.#rows.get(nameOf(expectation.apiKey, expectation.version));
    if (row !== undefined) row.requests += 1;
  }

  #countReply(name: string, { errorCodes }: CheckedReply): void {
    const row = this.#rows.get(name);
    if (row === undefined) return;
    row.answers += 1;
    if (errorCodes.every((code) => code === 0)) row.withoutError += 1;
    for (const code of errorCodes) row.codes.set(code, (row.codes.get(code) ?? 0) + 1);
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
