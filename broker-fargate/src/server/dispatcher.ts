import { assert } from "@millrace/core";
import {
  ApiKey,
  apis,
  DecodeError,
  decodeRequestHeader,
  encodeResponseHeader,
  ErrorCode,
  type Frame,
  PRODUCE_LISTED_FROM,
  Reader,
  type RequestByKey,
  type RequestHeader,
  requestDecoders,
  type ResponseInputByKey,
  responseEncoders,
  Writer,
} from "@millrace/wire";
import type { Handler, RequestContext } from "../handlers/handler.ts";
import { requestElementsMax, requestHeaderBytesMin, requestLongStringsMax } from "../limits.ts";
import type { CloseReason } from "./close-reason.ts";

/** One line of ApiVersions. */
export interface ServedApi {
  readonly apiKey: ApiKey;
  readonly minVersion: number;
  readonly maxVersion: number;
}

/** A handler, bound to its API's decoder and encoder, so that its types end here. */
export interface Route {
  readonly apiKey: ApiKey;
  readonly name: string;
  readonly versions: { readonly min: number; readonly max: number };
  /** Decodes what the reader holds after the header. Throws DecodeError, and nothing else. */
  prepare(reader: Reader, header: RequestHeader, origin: RequestOrigin): Call;
}

/** What a request's context has of its connection and its frame. */
export type RequestOrigin = Pick<RequestContext, "connection" | "frameIsFree" | "replyMemory">;

/** Calls the handler: a reply to send, none (Produce with acks=0), or later. May throw. */
export type Call = () => Answer;
export type Answer = Reply | undefined | Promise<Reply | undefined>;

export interface Reply {
  readonly frame: Frame;
  /** To be called when the frame has been sent. */
  readonly sent: (() => void) | undefined;
}

/** What a frame turned out to be. `refused` ends its connection, as it does in Kafka. */
export type Prepared =
  | { readonly kind: "call"; readonly apiKey: ApiKey; readonly call: Call }
  | { readonly kind: "refused"; readonly reason: RefusalReason; readonly message: string };
export type RefusalReason = CloseReason &
  ("undecodable" | "unknownApi" | "unsupportedVersion" | "authenticationExpired");

/** Binds a handler to its API: `defineRoute(ApiKey.Metadata, metadataHandler(broker))`. */
export function defineRoute<Key extends ApiKey>(
  apiKey: Key,
  handler: Handler<RequestByKey[Key], ResponseInputByKey[Key]>,
): Route {
  const { name, minVersion, maxVersion } = apis[apiKey];
  const { min, max } = handler.versions;
  assert(handler.apiKey === apiKey, `a handler of API ${handler.apiKey} registered for ${name}`);
  assert(minVersion <= min && min <= max && max <= maxVersion, `${name} has no v${min}–v${max}`);
  const decode = requestDecoders[apiKey];
  return {
    apiKey,
    name,
    versions: handler.versions,
    prepare: (reader, header, origin) => {
      const { requestApiVersion: apiVersion, clientId } = header;
      const request = decode(reader, apiVersion);
      return () => {
        let sent: (() => void) | undefined;
        const whenReplySent = (listener: () => void): void => {
          sent = listener;
        };
        const context = { apiVersion, clientId, ...origin, whenReplySent };
        const response = handler.handle(request, context);
        if (response instanceof Promise) {
          return response.then((settled) => reply(encodeReply(apiKey, header, settled), sent));
        }
        return reply(encodeReply(apiKey, header, response), sent);
      };
    },
  };
}

function reply(frame: Frame | undefined, sent: Reply["sent"]): Reply | undefined {
  return frame === undefined ? undefined : { frame, sent };
}

function encodeReply<Key extends ApiKey>(
  apiKey: Key,
  header: RequestHeader,
  response: ResponseInputByKey[Key] | undefined,
): Frame | undefined {
  if (response === undefined) return undefined;
  const { correlationId, requestApiVersion } = header;
  const writer = new Writer("frame");
  encodeResponseHeader(writer, { api: apis[apiKey], apiVersion: requestApiVersion, correlationId });
  responseEncoders[apiKey](writer, requestApiVersion, response);
  return writer.finish();
}

/**
 * Finds the handler of a frame. Trailing bytes after a body are ignored, as Kafka ignores them.
 *
 * ApiVersions in a version that is not served is answered in version 0's shape with error 35
 * (UNSUPPORTED_VERSION) and the ranges that are, so that any client finds a common version.
 */
export class Dispatcher {
  private readonly routes: ReadonlyMap<number, Route>;
  private readonly served: readonly ServedApi[];

  constructor(routes: readonly Route[]) {
    this.routes = new Map(routes.map((route) => [route.apiKey, route]));
    assert(this.routes.size === routes.length, "an API has two handlers");
    this.served = routes
      .map(({ apiKey, versions }) => ({
        apiKey,
        minVersion: apiKey === ApiKey.Produce ? PRODUCE_LISTED_FROM : versions.min,
        maxVersion: versions.max,
      }))
      .toSorted((left, right) => left.apiKey - right.apiKey);
  }

  /**
   * What ApiVersions lists, by key. Produce is listed from v0, though older versions than its
   * handler's are refused: some versions of librdkafka would otherwise send uncompressed.
   */
  servedApis(): readonly ServedApi[] {
    return this.served;
  }

  names(): Iterable<{ readonly apiKey: ApiKey; readonly name: string }> {
    return this.routes.values();
  }

  /** Never throws. */
  prepare(frame: Uint8Array, origin: RequestOrigin): Prepared {
    if (frame.length < requestHeaderBytesMin) {
      const message = `a request of ${frame.length} bytes`;
      return { kind: "refused", reason: "undecodable", message };
    }
    const reader = new Reader(frame);
    const apiKey = reader.int16();
    const version = reader.int16();
    const route = this.routes.get(apiKey);
    if (route === undefined) {
      return { kind: "refused", reason: "unknownApi", message: `API ${apiKey} is not served` };
    }
    if (version < route.versions.min || version > route.versions.max) {
      if (apiKey === ApiKey.ApiVersions) return this.unsupportedApiVersions(reader.int32());
      const message = `${route.name} v${version} is not served`;
      return { kind: "refused", reason: "unsupportedVersion", message };
    }
    return decodeCall(route, frame, origin);
  }

  private unsupportedApiVersions(correlationId: number): Prepared {
    const call = (): Reply => {
      const writer = new Writer("frame");
      const api = apis[ApiKey.ApiVersions];
      encodeResponseHeader(writer, { api, apiVersion: 0, correlationId });
      const errorCode = ErrorCode.UNSUPPORTED_VERSION;
      responseEncoders[ApiKey.ApiVersions](writer, 0, { errorCode, apiKeys: this.served });
      return { frame: writer.finish(), sent: undefined };
    };
    return { kind: "call", apiKey: ApiKey.ApiVersions, call };
  }
}

function decodeCall(route: Route, frame: Uint8Array, origin: RequestOrigin): Prepared {
  try {
    const reader = new Reader(frame);
    reader.elementsLeft = requestElementsMax;
    reader.longStringsLeft = requestLongStringsMax;
    const call = route.prepare(reader, decodeRequestHeader(reader), origin);
    return { kind: "call", apiKey: route.apiKey, call };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { kind: "refused", reason: "undecodable", message: `${route.name}: ${error.message}` };
  }
}
