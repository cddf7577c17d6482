import type { ApiKey } from "@millrace/wire";
import type { ServedApi } from "../../../broker-fargate/src/server/dispatcher.ts";
import { pause } from "../../hardness/subject.ts";
import type { Chance } from "../chance.ts";
import type { Canary } from "../handlers/canary.ts";
import type { CheckedReply } from "../handlers/check-reply.ts";
import { expectationOf } from "../handlers/expectation.ts";
import { Frames, type RequestCodecs } from "../handlers/frames.ts";
import type { Knowledge } from "../handlers/knowledge.ts";
import { type LiveBroker, LiveClient, type LiveEvents, rebalanceMs } from "./live-client.ts";

export interface LiveCaseOptions {
  readonly broker: LiveBroker;
  readonly served: readonly ServedApi[];
  readonly codecs: RequestCodecs;
  readonly chance: Chance;
  readonly knowledge: Knowledge;
  readonly canary: Canary;
  readonly steps: number;
  readonly events: Omit<LiveEvents, "replied">;
  readonly replied: (apiKey: ApiKey, version: number, reply: CheckedReply) => void;
}

const clientsMax = 3;
/** A longer rebalance would be under way when the run is over. */
export const rebalanceMsMost = 1_000;

/** Some connections, in any way that a socket allows, and nothing of them left at the end. */
export class LiveCase {
  readonly #options: LiveCaseOptions;
  readonly #chance: Chance;
  readonly #frames: Frames;
  readonly #clients: (LiveClient | undefined)[] = [];

  constructor(options: LiveCaseOptions) {
    this.#options = options;
    this.#chance = options.chance;
    this.#frames = new Frames(options.codecs, options.chance, options.knowledge);
  }

  async run(): Promise<void> {
    for (let left = this.#options.steps; left > 0; left -= 1) await this.#step();
    await Promise.all(this.#clients.map((client) => this.#end(client)));
  }

  async #step(): Promise<void> {
    const chance = this.#chance;
    const kind = chance.below(1_000);
    if (kind < 60) return this.#options.canary.work();
    if (kind < 100) return pause(chance.pick([1, 5, 40]));
    const client = await this.#client(chance.below(clientsMax));
    if (kind < 130) return client.leave(chance.pick(["end", "reset"]));
    if (kind < 160) return client.halfClose();
    if (kind < 230) return this.#cutShort(client);
    const count = chance.pick([1, 1, 1, 1, 2, 5]);
    for (let left = count; left > 0; left -= 1) await this.#send(client, this.#frame());
    if (chance.perThousand(850)) await client.settled("short");
  }

  async #client(at: number): Promise<LiveClient> {
    const known = this.#clients[at];
    if (known !== undefined && !known.isDone) return known;
    // One that ended its side is still owed answers.
    await known?.settled("full");
    known?.leave("end");
    const { broker, events, knowledge, replied } = this.#options;
    const opened = await LiveClient.open(broker, {
      ...events,
      replied: ({ apiKey, version, request }, reply) => {
        knowledge.learn(apiKey, request, reply.response);
        replied(apiKey, version, reply);
      },
    });
    this.#clients[at] = opened;
    return opened;
  }

  #frame(): Uint8Array {
    const { served } = this.#options;
    for (;;) {
      const frame = this.#frames.next(served);
      const isLong = rebalanceMs(expectationOf(frame.slice(4), served)) > rebalanceMsMost;
      if (!isLong) return frame;
    }
  }

  async #send(client: LiveClient, frame: Uint8Array): Promise<void> {
    const pieces = this.#chance.perThousand(850) ? 1 : this.#chance.between(2, 4);
    let from = 0;
    for (let left = pieces; left > 1 && from < frame.length; left -= 1) {
      const to = this.#chance.between(from, frame.length);
      client.send(frame.slice(from, to));
      from = to;
      await pause(this.#chance.below(3));
    }
    client.send(frame.slice(from));
  }

  /** In the middle of a frame, with or without whole ones before it. */
  async #cutShort(client: LiveClient): Promise<void> {
    const chance = this.#chance;
    if (chance.perThousand(500)) client.send(this.#frame());
    const frame = this.#frame();
    client.send(frame.slice(0, chance.below(frame.length + 1)));
    if (chance.perThousand(500)) await pause(1);
    const how = chance.pick(["end", "reset", "half"] as const);
    if (how === "half") client.halfClose();
    else client.leave(how);
  }

  /** Mostly what is due is waited for. */
  async #end(client: LiveClient | undefined): Promise<void> {
    if (client === undefined) return;
    await client.settled(this.#chance.perThousand(150) ? "full" : "short");
    client.leave(this.#chance.pick(["end", "reset"]));
  }
}
