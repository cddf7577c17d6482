/** Bytes of requests, valid and not. */
import {
  type ApiKey,
  apis,
  encodeRequestHeader,
  type RequestInputByKey,
  requestEncoders,
  requestHeaderVersion,
  Writer,
} from "@millrace/wire";

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function uvarint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  bytes.push(left);
  return Buffer.from(bytes);
}

/** The bytes of a request, its length included. */
export function requestBytes<Key extends ApiKey>(
  key: Key,
  version: number,
  request: RequestInputByKey[Key],
): Uint8Array {
  const writer = new Writer("frame");
  writeHeader(writer, key, version);
  requestEncoders[key](writer, version, request);
  return writer.finishBytes();
}

function writeHeader(writer: Writer, key: ApiKey, version: number): void {
  encodeRequestHeader(writer, {
    requestApiKey: key,
    requestApiVersion: version,
    correlationId: 1,
    clientId: "attacker",
  });
}

/** A request of any key and version with a body that the caller made. */
export function rawRequest(key: number, version: number, body: Uint8Array): Uint8Array {
  const head = Buffer.alloc(8);
  head.writeInt16BE(key, 0);
  head.writeInt16BE(version, 2);
  head.writeInt32BE(1, 4);
  const clientId = Buffer.from([0, 1, 0x61]);
  const tags = isFlexible(key, version) ? Buffer.from([0]) : Buffer.alloc(0);
  return framed(Buffer.concat([head, clientId, tags, body]));
}

function isFlexible(key: number, version: number): boolean {
  const api = Object.values(apis).find((candidate) => candidate.key === key);
  return api !== undefined && requestHeaderVersion(api, version) >= 2;
}

export function framed(frame: Uint8Array): Uint8Array {
  return Buffer.concat([int32(frame.length), frame]);
}
