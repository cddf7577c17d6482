/** Handlers of partitions over a rig in memory, asked as a client would, through the codecs. */
import type { Logger } from "pino";
import {
  buildBatch,
  crc32c,
  jsCodecs,
  type NewRecord,
  Reader,
  type Uuid,
  type BatchFields,
  responseDecoders,
  responseEncoders,
  uuidFromHex,
  Writer,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import { aloneView, noMisses } from "../cluster/alone-view.ts";
import type { ClusterView } from "../cluster/cluster-view.ts";
import { SlotTraffic } from "../cluster/slot-traffic.ts";
import { Rig, turn } from "../partition/fixtures.ts";
import type { Handler, ReplyMemory, RequestContext } from "./handler.ts";
import { ThreeBrokers } from "./three-brokers.ts";

export class HandlerKit {
  readonly rig: Rig;
  readonly broker: Broker;

  private constructor(rig: Rig, view: ClusterView = aloneView(rig.cluster, () => undefined)) {
    this.rig = rig;
    const silent = { warn: () => undefined } as unknown as Logger;
    const { buffers, clock, cluster, partitions, random } = rig;
    const { settings } = cluster;
    const parts = {
      clock,
      cluster,
      view,
      codecs: jsCodecs,
      crc32c,
      log: silent,
      partitions,
      random,
    };
    const traffic = new SlotTraffic(clock, cluster.slots);
    const kit = { ...parts, buffers, settings, misses: noMisses, traffic };
    this.broker = kit as unknown as Broker;
  }

  static async start(): Promise<HandlerKit> {
    return HandlerKit.over(await new Rig().start());
  }

  /** The rig is broker 1 of three. */
  static async amongThree(): Promise<{
    readonly kit: HandlerKit;
    readonly view: ThreeBrokers;
  }> {
    const rig = await new Rig().start();
    const view = new ThreeBrokers(rig.cluster);
    return { kit: new HandlerKit(rig, view), view };
  }

  /** Over the rig's present life. */
  static over(rig: Rig): HandlerKit {
    return new HandlerKit(rig);
  }

  async createTopic(
    name: string,
    options: { readonly partitions?: number; readonly configs?: Record<string, string> } = {},
  ): Promise<Uuid> {
    return uuidFromHex(await this.rig.createTopic(name, options));
  }

  /** The response as it looks after the wire. */
  async ask<Request, Response>(
    handler: Handler<Request, Response>,
    version: number,
    request: Request,
  ): Promise<Response> {
    const asking = Promise.resolve(handler.handle(request, contextOf(version)));
    const response = await this.settled(asking);
    if (response === undefined) throw new Error("the request was not answered");
    const writer = new Writer("bare");
    const encode = responseEncoders[handler.apiKey] as (
      writer: Writer,
      version: number,
      message: unknown,
    ) => void;
    encode(writer, version, response);
    const reader = new Reader(writer.finishBytes());
    const decoded = responseDecoders[handler.apiKey](reader, version);
    reader.expectEnd();
    return decoded as Response;
  }

  /** Lets virtual time pass until the promise settles. */
  async settled<Result>(promise: Promise<Result>): Promise<Result> {
    let isSettled = false;
    const note = (): void => {
      isSettled = true;
    };
    promise.then(note, note);
    for (let turns = 0; turns < 10_000; turns += 1) {
      await turn();
      if (isSettled) return promise;
      this.rig.clock.fireNext();
    }
    throw new Error("no answer");
  }
}

/** Of a server that is far from its bound. */
export const roomyReplyMemory: ReplyMemory = {
  isWanted: true,
  grow: () => undefined,
  drop: () => undefined,
  hasRoom: () => true,
  room: () => Promise.resolve(),
};

export function contextOf(apiVersion: number): RequestContext {
  return {
    apiVersion,
    clientId: "client",
    connection: {
      id: "1",
      clientHost: "127.0.0.1",
      listener: { name: "PLAINTEXT", host: "broker", port: 9092 },
      clientSoftware: undefined,
      principal: "User:ANONYMOUS",
      isEnding: () => false,
      onEnd: () => () => undefined,
      onClose: () => () => undefined,
    },
    frameIsFree: () => undefined,
    whenReplySent: () => undefined,
    replyMemory: roomyReplyMemory,
  };
}

export const record: NewRecord = {
  key: Uint8Array.of(1),
  value: Uint8Array.of(2, 3),
  timestamp: 1000,
};

export function batch(
  count: number,
  fields: Omit<BatchFields, "crc32c"> & { readonly timestamp?: number } = {},
): Uint8Array {
  const { timestamp = 1000, ...rest } = fields;
  return buildBatch(
    Array.from({ length: count }, (_, index) => ({ ...record, timestamp: timestamp + index })),
    { ...rest, crc32c },
  );
}
