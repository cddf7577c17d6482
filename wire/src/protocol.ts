import type { Reader } from "./codec/reader.ts";
import type { Writer } from "./codec/writer.ts";
import { type Api, ApiKey, apis } from "./generated/apis.ts";
import {
  decodeRequestHeader as decodeHeader,
  encodeRequestHeader as encodeHeader,
  encodeResponseHeader as encodeReplyHeader,
  type RequestHeader,
  type RequestHeaderInput,
} from "./generated/headers.ts";

/**
 * ApiVersions lists Produce from this version on, although it is served from `apis[0].minVersion`: some versions of
 * librdkafka otherwise send everything uncompressed.
 */
export const PRODUCE_LISTED_FROM = 0;

/** Whether a broker's listener knows an API of this number. */
export function isApiKey(key: number): key is ApiKey {
  return Object.hasOwn(apis, key);
}

/** The API of this number, or null. */
export function apiOf(key: number): Api | null {
  return isApiKey(key) ? apis[key] : null;
}

/** Whether `version` has a codec. An unstable version has one and is not advertised: see `latestStableVersion`. */
export function hasVersion(api: Api, version: number): boolean {
  return version >= api.minVersion && version <= api.maxVersion;
}

/** Version of the header before a request: 2 where the request is flexible (KIP-482), 1 before. */
export function requestHeaderVersion(api: Api, version: number): 1 | 2 {
  return version >= api.firstFlexibleVersion ? 2 : 1;
}

/**
 * Version of the header before a response: 1 where the response is flexible, 0 before. ApiVersions is always 0, because
 * a client reads it before it knows what the broker speaks (KIP-511).
 */
export function responseHeaderVersion(api: Api, version: number): 0 | 1 {
  if (api.key === ApiKey.ApiVersions) return 0;
  return version >= api.firstFlexibleVersion ? 1 : 0;
}

/** The API and version that a request's header names, before it is known whether they exist. */
export interface RequestKind {
  readonly apiKey: number;
  readonly apiVersion: number;
}

/** Reads the first four bytes of a request without moving past them. Throws DecodeError. */
export function peekRequestKind(reader: Reader): RequestKind {
  const { position } = reader;
  const apiKey = reader.int16();
  const apiVersion = reader.int16();
  reader.position = position;
  return { apiKey, apiVersion };
}

/**
 * Reads a request's header. An API that is not known, and a version of ApiVersions past the newest, are read with the
 * header that a client of today would send, so that there is a correlation id to answer with. Throws DecodeError.
 */
export function decodeRequestHeader(reader: Reader): RequestHeader {
  const { apiKey, apiVersion } = peekRequestKind(reader);
  const api = apiOf(apiKey);
  return decodeHeader(reader, api === null ? 2 : requestHeaderVersion(api, apiVersion));
}

/** Writes the header that goes with the request that it names. Throws RangeError for an API that is not known. */
export function encodeRequestHeader(writer: Writer, header: RequestHeaderInput): void {
  const api = apiOf(header.requestApiKey);
  if (api === null) throw new RangeError(`no API ${header.requestApiKey}`);
  encodeHeader(writer, requestHeaderVersion(api, header.requestApiVersion), header);
}

/** What a response's header depends on. */
export interface ResponseKind {
  readonly api: Api;
  readonly apiVersion: number;
  readonly correlationId: number;
}

/** Writes the header of the response to a request of this kind. */
export function encodeResponseHeader(writer: Writer, response: ResponseKind): void {
  const { api, apiVersion, correlationId } = response;
  encodeReplyHeader(writer, responseHeaderVersion(api, apiVersion), { correlationId });
}
