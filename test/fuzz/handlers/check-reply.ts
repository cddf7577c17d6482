import {
  type ApiKey,
  apis,
  decodeResponseHeader,
  ErrorCode,
  Reader,
  responseDecoders,
  responseEncoders,
  responseHeaderVersion,
  Writer,
} from "@millrace/wire";

export interface CheckedReply {
  readonly correlationId: number;
  readonly response: unknown;
  /** All error codes in it, as often as they are there. */
  readonly errorCodes: readonly number[];
  readonly faults: readonly string[];
}

/** Whether a reply is one that its version allows: it decodes, and encodes to the same bytes. */
export function checkReply(
  frame: Uint8Array,
  asked: { readonly apiKey: ApiKey; readonly version: number },
): CheckedReply {
  const { apiKey, version } = asked;
  const reader = new Reader(frame);
  const headerVersion = responseHeaderVersion(apis[apiKey], version);
  const { correlationId } = decodeResponseHeader(reader, headerVersion);
  const bodyAt = reader.position;
  const response = responseDecoders[apiKey](reader, version);
  reader.expectEnd();
  const encode = responseEncoders[apiKey] as (
    writer: Writer,
    version: number,
    response: unknown,
  ) => void;
  const writer = new Writer();
  encode(writer, version, response);
  const again = writer.finishBytes();
  const isEqual = Buffer.compare(again, frame.subarray(bodyAt)) === 0;
  const errorCodes: number[] = [];
  collectErrorCodes(response, errorCodes);
  const faults = isEqual ? [] : ["the reply is not what its decoded form encodes to"];
  return { correlationId, response, errorCodes, faults };
}

export const unknownServerError: number = ErrorCode.UNKNOWN_SERVER_ERROR;

function collectErrorCodes(value: unknown, into: number[]): void {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
  if (Array.isArray(value)) {
    for (const item of value) collectErrorCodes(item, into);
    return;
  }
  for (const [property, inner] of Object.entries(value)) {
    if (property === "errorCode" && typeof inner === "number") into.push(inner);
    else collectErrorCodes(inner, into);
  }
}
