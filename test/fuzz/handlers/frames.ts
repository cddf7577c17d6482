import {
  apis,
  type ApiKey,
  EncodeError,
  encodeRequestHeader,
  requestEncoders,
  type RequestInputByKey,
  Writer,
} from "@millrace/wire";
import type { Message } from "../../../wire/generator/schema.ts";
import { codecsOf, type Codec, schemaFiles } from "../../../wire/test/schemas.ts";
import type { ServedApi } from "../../../broker-fargate/src/server/dispatcher.ts";
import type { Chance } from "../chance.ts";
import { joined, mutateBytes } from "../mutate-bytes.ts";
import type { Knowledge } from "./knowledge.ts";
import { makeRequest } from "./message.ts";

interface RequestCodec {
  readonly message: Message;
  readonly codec: Codec;
}

/** Requests by API key, with the codecs that write them. */
export type RequestCodecs = ReadonlyMap<number, RequestCodec>;

export async function requestCodecs(): Promise<RequestCodecs> {
  const found = new Map<number, RequestCodec>();
  for (const file of schemaFiles) {
    if (file.api === null) continue;
    for (const [message, codec] of await codecsOf(file)) {
      if (message.name.endsWith("Request")) found.set(file.api.key, { message, codec });
    }
  }
  return found;
}

/** APIs that most of the others have to do with come more often. */
const often: ReadonlySet<string> = new Set([
  ...["Produce", "Fetch", "JoinGroup", "SyncGroup", "OffsetCommit", "OffsetFetch", "Heartbeat"],
]);

/** Makes the bytes of requests, one after another, each with its length. */
export class Frames {
  readonly #codecs: RequestCodecs;
  readonly #chance: Chance;
  readonly #knowledge: Knowledge;
  #correlationId = 0;

  constructor(codecs: RequestCodecs, chance: Chance, knowledge: Knowledge) {
    this.#codecs = codecs;
    this.#chance = chance;
    this.#knowledge = knowledge;
  }

  /** A request to one of these APIs: three of four are valid, the others have wrong bytes. */
  next(served: readonly ServedApi[]): Uint8Array {
    const chance = this.#chance;
    const frame = this.#valid(served);
    const kind = chance.below(1_000);
    if (kind < 750) return withLength(frame);
    if (kind < 940) return withLength(mutateBytes(frame, chance));
    if (kind < 960) return withLength(joined(frame, chance.bytes(chance.skewed(50))));
    if (kind < 980) return withLength(otherVersion(frame, chance));
    if (kind < 990) return mutateBytes(withLength(frame), chance);
    return chance.bytes(chance.skewed(200));
  }

  #valid(served: readonly ServedApi[]): Uint8Array {
    const chance = this.#chance;
    for (;;) {
      const first = chance.pick(served);
      const isOften = often.has(apis[first.apiKey].name);
      const { apiKey, maxVersion } =
        isOften || chance.perThousand(600) ? first : chance.pick(served);
      const version = chance.between(apis[apiKey].minVersion, maxVersion);
      const frame = this.request(apiKey, version);
      if (frame !== undefined) return frame;
    }
  }

  /** Without its length. Undefined when what was drawn has no place in this version. */
  request(apiKey: ApiKey, version: number): Uint8Array | undefined {
    const found = this.#codecs.get(apiKey);
    if (found === undefined) throw new Error(`no codec for API ${apiKey}`);
    this.#correlationId += 1;
    const writer = new Writer();
    const request = makeRequest(found.message, version, {
      chance: this.#chance,
      knowledge: this.#knowledge,
    });
    encodeRequestHeader(writer, {
      requestApiKey: apiKey,
      requestApiVersion: version,
      correlationId: this.#correlationId,
      clientId: this.#chance.pick(["fuzz", "", null, "größe"]),
    });
    try {
      found.codec.encode(writer, version, request);
    } catch (error) {
      if (error instanceof EncodeError) return undefined;
      throw error;
    }
    const frame = writer.finishBytes().slice();
    return version >= apis[apiKey].firstFlexibleVersion ? this.#tagged(frame) : frame;
  }

  /** With a tagged field that nobody knows, where the message ends with a count of none. */
  #tagged(frame: Uint8Array): Uint8Array {
    if (frame.at(-1) !== 0 || !this.#chance.perThousand(100)) return frame;
    const size = this.#chance.below(20);
    const field = Uint8Array.of(1, 0xe8, 0x07, size, ...this.#chance.bytes(size));
    return joined(frame.subarray(0, -1), field);
  }
}

function otherVersion(frame: Uint8Array, chance: Chance): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset);
  const at = chance.pick([0, 2]);
  view.setInt16(at, chance.pick([view.getInt16(at) + 1, view.getInt16(at) - 1, -1, 0, 99, 0x7fff]));
  return frame;
}

/** A valid request, with its length. */
export function encodeFrame<Key extends ApiKey>(
  key: Key,
  version: number,
  body: RequestInputByKey[Key],
): Uint8Array {
  const writer = new Writer("frame");
  encodeRequestHeader(writer, {
    ...{ requestApiKey: key, requestApiVersion: version, correlationId: 0, clientId: "fuzz" },
  });
  requestEncoders[key](writer, version, body);
  return writer.finishBytes().slice();
}

function withLength(frame: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setInt32(0, frame.length);
  return joined(length, frame);
}
