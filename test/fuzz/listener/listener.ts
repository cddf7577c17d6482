import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiKey } from "@millrace/wire";
import type { ServedApi } from "../../../broker-fargate/src/server/dispatcher.ts";
import { pause, startSubject, type Subject } from "../../hardness/subject.ts";
import { withClient } from "../../fixtures/wire-client.ts";
import { Chance } from "../chance.ts";
import { Canary } from "../handlers/canary.ts";
import { nameOf } from "../handlers/conversation.ts";
import { Coverage } from "../handlers/coverage.ts";
import { requestCodecs, type RequestCodecs } from "../handlers/frames.ts";
import { Knowledge, type Times } from "../handlers/knowledge.ts";
import { setUpTopics, topicNames } from "../handlers/topics.ts";
import type { Target } from "../target.ts";
import { housekeep } from "./housekeeping.ts";
import { LiveCase } from "./live-case.ts";
import { type LiveBroker, LiveClient, type LiveEvents, rebalanceMs } from "./live-client.ts";
import {
  closings,
  drained,
  excess,
  type Footprint,
  footprintOf,
  heapGrowth,
  heapOf,
  logFaults,
} from "./remains.ts";

/** A mistake that is put between the fuzzer and the broker, to see that it is found. */
export interface Plant {
  /** The port to talk to, in place of the broker's. */
  readonly port?: (brokerPort: number) => Promise<number>;
  /** Done to the broker's directory between the kill and the restart. */
  readonly betweenLives?: (directory: string) => Promise<void>;
}

export interface ListenerOptions {
  readonly steps?: number;
  readonly answerMsMax?: number;
  readonly plant?: Plant;
}

const main = join(import.meta.dirname, "../../../tools/start.mjs");
const frameBytesMax = 1_048_576;
const settings: readonly string[] = [
  "group.initial.rebalance.delay.ms=10",
  "group.min.session.timeout.ms=100",
  "group.max.session.timeout.ms=1500",
  "millrace.slots=16",
  `socket.request.max.bytes=${frameBytesMax}`,
];
/** Real time passes: nothing may take more of it than the end of a run can wait for. */
const times: Times = {
  waitsMs: [0, 1, 20, 100],
  sessionsMs: [300, 600, 1_000, 1_500],
  rebalancesMs: [100, 400, 1_000],
};
const stepsDefault = 40;
const answerMsMaxDefault = 10_000;
const casesPerHousekeeping = 10;
const requestsToTell = 60_000;
const faultsMax = 20;
/** The log takes some lines of connections a second. */
const logWindowMs = 1_100;

/**
 * Every handler over a live listener: one broker's process for the whole run, and in each case some
 * sockets that send it anything, beside a canary. After the last case nothing of them is left, and
 * what the canary wrote outlives a SIGKILL.
 */
export class ListenerTarget implements Target {
  readonly name = "listener";
  readonly #options: ListenerOptions;
  readonly #directory: string;
  readonly #codecs: RequestCodecs;
  readonly #canary: Canary;
  #subject: Subject;
  #port: number;
  #served: readonly ServedApi[] = [];
  #coverage: Coverage = new Coverage([], requestsToTell);
  #before: Footprint | undefined;
  #canaryClient: LiveClient | undefined;
  #canaryAnswer: unknown;
  #faults: string[] = [];
  #cases = 0;
  #connections = 0;
  #longestRebalanceMs = 0;
  #outputSeen = 0;
  #summary = "";
  /** In MiB, at each housekeeping. */
  readonly #memory: number[] = [];
  readonly #heap: number[] = [];

  private constructor(
    options: ListenerOptions,
    started: {
      readonly subject: Subject;
      readonly directory: string;
      readonly port: number;
      readonly codecs: RequestCodecs;
    },
  ) {
    this.#options = options;
    this.#subject = started.subject;
    this.#directory = started.directory;
    this.#port = started.port;
    this.#codecs = started.codecs;
    const fault = (what: string): void => this.#fault(what);
    this.#canary = new Canary(new Chance(1), (frame) => this.#ask(frame), fault);
  }

  static async open(options: ListenerOptions = {}): Promise<ListenerTarget> {
    const directory = await mkdtemp(join(tmpdir(), "millrace-fuzz-"));
    const codecs = await requestCodecs();
    const subject = await startSubject(settings, { directory, main });
    const port = (await options.plant?.port?.(subject.port)) ?? subject.port;
    const target = new ListenerTarget(options, { subject, directory, port, codecs });
    await target.#begin();
    return target;
  }

  async run(seed: number): Promise<readonly string[]> {
    this.#cases += 1;
    try {
      if (this.#subject.ended()) await this.#start();
      await this.#case(seed);
    } catch (error) {
      this.#fault(`threw ${textOf(error)}`);
    }
    this.#checkProcess();
    return this.#taken();
  }

  /** All clients are gone: what is left of them, and what a restart finds. */
  async finish(): Promise<readonly string[]> {
    try {
      await this.#canary.checkAll();
      this.#endCanary();
      await this.#checkRemains();
      await this.#subject.kill();
      await this.#options.plant?.betweenLives?.(this.#directory);
      await this.#start();
      await this.#canary.checkAll();
      this.#checkProcess();
    } catch (error) {
      this.#fault(`threw ${textOf(error)}`);
    }
    const exitCode = await this.close();
    if (exitCode !== 0) this.#fault(`the broker's exit code is ${exitCode}`);
    return this.#taken();
  }

  /** Ends the broker, without a look at what is left, and removes its directory. */
  async close(): Promise<number | null> {
    this.#endCanary();
    const { exitCode } = await this.#subject.stop();
    return exitCode;
  }

  coverage(): readonly string[] {
    const { requests, refused } = this.#coverage;
    return [
      `${requests} requests over ${this.#connections} connections, ${refused} more requests ` +
        `whose connection had to be closed`,
      this.#summary,
      ...this.#coverage.table(),
    ];
  }

  missing(): readonly string[] {
    return this.#coverage.missing();
  }

  /** Directly, so that a mistake that was planted does not keep the run from beginning. */
  async #begin(): Promise<void> {
    const { apiKeys } = await withClient(this.#subject.port, (client) =>
      client.ask(ApiKey.ApiVersions, 3, {
        ...{ clientSoftwareName: "fuzz", clientSoftwareVersion: "1" },
      }),
    );
    this.#served = apiKeys.map(({ apiKey, minVersion, maxVersion }) => ({
      ...{ apiKey: apiKey as ApiKey, minVersion, maxVersion },
    }));
    this.#coverage = new Coverage(this.#served, requestsToTell);
    await this.#canary.setUp();
    this.#before = footprintOf(this.#subject);
  }

  /** Again, after it was killed or ended. */
  async #start(): Promise<void> {
    this.#endCanary();
    this.#subject = await startSubject(settings, { directory: this.#directory, main });
    this.#port = (await this.#options.plant?.port?.(this.#subject.port)) ?? this.#subject.port;
    this.#outputSeen = 0;
  }

  async #case(seed: number): Promise<void> {
    if (this.#cases % casesPerHousekeeping === 0) {
      await housekeep(this.#subject.port);
      this.#memory.push(footprintOf(this.#subject).mebibytes);
      this.#heap.push(await heapOf(this.#subject));
    }
    const knowledge = new Knowledge(topicNames, times);
    await setUpTopics(knowledge, (frame) => this.#ask(frame));
    await new LiveCase({
      broker: this.#broker(),
      served: this.#served,
      codecs: this.#codecs,
      chance: new Chance(seed),
      knowledge,
      canary: this.#canary,
      steps: this.#options.steps ?? stepsDefault,
      events: this.#events(),
      replied: (apiKey, version, reply) => {
        this.#coverage.replied(nameOf(apiKey, version), reply);
      },
    }).run();
  }

  #broker(): LiveBroker {
    return {
      served: () => this.#served,
      port: this.#port,
      frameBytesMax,
      answerMsMax: this.#options.answerMsMax ?? answerMsMaxDefault,
    };
  }

  #events(): Omit<LiveEvents, "replied"> {
    return {
      sent: (expectation) => {
        this.#coverage.sent(expectation);
        this.#longestRebalanceMs = Math.max(this.#longestRebalanceMs, rebalanceMs(expectation));
      },
      opened: () => {
        this.#connections += 1;
      },
      fault: (what) => this.#fault(what),
    };
  }

  /** The canary's way to the broker. */
  async #ask(frame: Uint8Array): Promise<unknown> {
    if (this.#canaryClient === undefined || this.#canaryClient.isDone) {
      this.#canaryClient = await LiveClient.open(this.#broker(), {
        ...this.#events(),
        sent: () => undefined,
        replied: (_, { response }) => {
          this.#canaryAnswer = response;
        },
      });
    }
    this.#canaryAnswer = undefined;
    this.#canaryClient.send(frame);
    await this.#canaryClient.settled("full");
    return this.#canaryAnswer;
  }

  #endCanary(): void {
    this.#canaryClient?.leave("end");
    this.#canaryClient = undefined;
  }

  /** The process is there, and has nothing to complain of. */
  #checkProcess(): void {
    const said = this.#subject.output();
    for (const fault of logFaults(said.slice(this.#outputSeen))) this.#fault(fault);
    this.#outputSeen = said.length;
    if (this.#subject.ended()) this.#fault(`the broker ended: ${said.slice(-1_500)}`);
  }

  async #checkRemains(): Promise<void> {
    const subject = this.#subject;
    for (const left of await drained(subject, this.#longestRebalanceMs)) this.#fault(left);
    await housekeep(subject.port);
    this.#heap.push(await heapOf(subject));
    const after = footprintOf(subject);
    const before = this.#before ?? after;
    for (const more of [...excess(before, after), ...heapGrowth(this.#heap)]) this.#fault(more);
    await this.#checkClosings();
    this.#checkProcess();
    const every = Math.ceil(this.#memory.length / 10);
    const meanwhile = this.#memory.filter((_, at) => at % every === 0);
    const heap = Math.min(...this.#heap.slice(-10)).toFixed(0);
    this.#summary =
      `memory in MiB: ${before.mebibytes} before, ${meanwhile.join(" ")} meanwhile, ` +
      `${after.mebibytes} after; ${heap} of heap in use; descriptors: ${before.descriptors} before, ` +
      `${after.descriptors} after`;
  }

  /** One more, in a second of its own, has a line that counts those before it that had none. */
  async #checkClosings(): Promise<void> {
    await pause(logWindowMs);
    const broker = { ...this.#broker(), port: this.#subject.port };
    const client = await LiveClient.open(broker, { ...this.#events(), replied: () => undefined });
    client.send(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
    await client.settled("full");
    client.leave("end");
    const { counted, told } = await closings(this.#subject);
    if (told === counted) return;
    this.#fault(`closed ${counted} connections, and told of ${told} of them in the log`);
  }

  #fault(what: string): void {
    if (this.#faults.length < faultsMax) this.#faults.push(what);
  }

  #taken(): readonly string[] {
    const faults = this.#faults;
    this.#faults = [];
    return faults;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
