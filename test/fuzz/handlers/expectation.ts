import {
  ApiKey,
  apis,
  DecodeError,
  decodeRequestHeader,
  Reader,
  requestDecoders,
} from "@millrace/wire";
import { requestElementsMax } from "../../../broker-fargate/src/limits.ts";
import type { ServedApi } from "../../../broker-fargate/src/server/dispatcher.ts";

/** What a client may hold a broker to, read from the bytes of one request alone. */
export type Expectation =
  | {
      /** `silence`: none comes; but where the records were refused, the connection is closed. */
      readonly kind: "reply" | "silence";
      readonly apiKey: ApiKey;
      readonly version: number;
      readonly correlationId: number;
      readonly requestBytes: number;
      /** As decoded: what it asks for depends on API and version. */
      readonly request: unknown;
    }
  | { readonly kind: "close"; readonly why: string };

const headerBytesMin = 8;
const produceServedFrom = 3;

export function expectationOf(frame: Uint8Array, served: readonly ServedApi[]): Expectation {
  if (frame.length < headerBytesMin) return { kind: "close", why: "a frame without a header" };
  const requestBytes = frame.length;
  const head = new Reader(frame);
  const [apiKey, version, correlationId] = [head.int16(), head.int16(), head.int32()];
  const api = served.find((candidate) => candidate.apiKey === apiKey);
  if (api === undefined) return { kind: "close", why: `API ${apiKey}` };
  const { name } = apis[api.apiKey];
  const from = api.apiKey === ApiKey.Produce ? produceServedFrom : api.minVersion;
  if (version < from || version > api.maxVersion) {
    if (api.apiKey !== ApiKey.ApiVersions) return { kind: "close", why: `${name} v${version}` };
    return {
      kind: "reply",
      apiKey: api.apiKey,
      version: 0,
      correlationId,
      requestBytes,
      request: {},
    };
  }
  try {
    const reader = new Reader(frame);
    reader.elementsLeft = requestElementsMax;
    decodeRequestHeader(reader);
    const request = requestDecoders[api.apiKey](reader, version);
    const isSilent = api.apiKey === ApiKey.Produce && "acks" in request && request.acks === 0;
    const kind = isSilent ? "silence" : "reply";
    return { kind, apiKey: api.apiKey, version, correlationId, requestBytes, request };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { kind: "close", why: `${name} v${version}: ${error.message}` };
  }
}

/** Cuts a stream of bytes into frames, as its reader will. */
export class SentFrames {
  #rest: Uint8Array = new Uint8Array(0);
  readonly #frameBytesMax: number;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** The frames that are whole by now; `bad`: a length that no frame may have, and no end of it. */
  *take(bytes: Uint8Array): Generator<Uint8Array | "bad"> {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    const view = new DataView(all.buffer);
    let at = 0;
    while (all.length - at >= 4) {
      const length = view.getInt32(at);
      if (length < 0 || length > this.#frameBytesMax) {
        yield "bad";
        return;
      }
      if (at + 4 + length > all.length) break;
      yield all.slice(at + 4, at + 4 + length);
      at += 4 + length;
    }
    this.#rest = all.slice(at);
  }
}
