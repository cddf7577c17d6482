import {
  encodeFrame,
  FrameError,
  FrameReader,
  type Frame,
} from "../../../adapters/node/src/metadata-host-frames.ts";
import {
  encodeReply,
  encodeRequest,
  hostProtocolVersion,
  parseHello,
  parseReply,
  parseRequest,
  parseWelcome,
  type Reply,
  type Request,
} from "../../../adapters/node/src/metadata-host-messages.ts";
import type { Chance } from "../chance.ts";
import { mutateJson } from "../mutate-json.ts";
import { joined } from "../mutate-bytes.ts";
import { type Decoder, valueOr } from "./decoder.ts";

/** What brokers of one machine and the host of their metadata say to each other, over a socket. */
const frameBytesMax = 1_000;
const lengthBytes = 4;
const json = new TextEncoder().encode('{"epoch":3,"configs":{"a":"b"}}');
const writeId = "5a".repeat(16);
const item = { key: "topic/orders", version: 3, json };

const requests: readonly Request[] = [
  { id: 1, op: "get", key: "slot/00007/head" },
  { id: 2, op: "range", from: "topic/", to: "topic0", limit: 100 },
  {
    ...{ id: 3, op: "transact", writeId, again: true, since: 12 },
    writes: [
      { kind: "put", key: "topic/a", json, condition: { is: "absent" } },
      { kind: "put", key: "topic/b", json },
      { kind: "delete", key: "topic/c", condition: { is: "version", version: 4 } },
      { kind: "check", key: "slot/00007/head", condition: { is: "epochAtMost", epoch: 2 } },
    ],
  },
];

const replies: readonly Reply[] = [
  { id: 1, at: 9, kind: "page", items: [item, { ...item, key: "topic/x" }], next: "topic/y" },
  { id: 1, at: 9, kind: "page", items: [] },
  { id: 2, at: 9, kind: "done" },
  { id: 3, at: 10, kind: "forgotten" },
  {
    ...{ id: 4, at: 11, kind: "refused" },
    refused: [
      { key: "topic/a", found: item },
      { key: "topic/b", found: undefined },
    ],
  },
  { id: 5, at: 12, kind: "failed", message: "no room", retriable: true, applied: "maybe" },
  { id: 6, at: 13, kind: "bug", message: "a key is empty" },
];

/** As a socket gives them: in chunks, whose sizes hang on the bytes alone. */
function framesOf(bytes: Uint8Array): readonly Frame[] {
  const reader = new FrameReader(frameBytesMax);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Frame[] = [];
  let from = 0;
  const chunkBytes = 1 + (bytes.length % 97);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    reader.push(Buffer.from(bytes.subarray(at, at + chunkBytes)));
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
      const headerBytes = view.getUint32(from + lengthBytes);
      const isWhole = 2 * lengthBytes + headerBytes + frame.values.length === frame.bytes;
      if (!isWhole) throw new Error(`a header of ${headerBytes} bytes in ${frame.bytes}`);
      frames.push(frame);
      from += frame.bytes;
    }
    if (reader.buffered > frameBytesMax + lengthBytes + chunkBytes) {
      throw new Error(`${reader.buffered} bytes are held`);
    }
  }
  return frames;
}

function firstFrame(bytes: Uint8Array): Frame {
  const [frame] = framesOf(bytes);
  if (frame === undefined) throw new FrameError("there is no frame");
  return frame;
}

/** Another header, of the right length, and the same values. */
function changeHeader(sample: Uint8Array, chance: Chance): Uint8Array {
  const { header, values } = firstFrame(sample);
  const changed = mutateJson(header, chance);
  return new Uint8Array(encodeFrame(changed ?? {}, [values]));
}

/** The lengths in front, and that of the header where it can be told. */
function sealFrame(bytes: Uint8Array): void {
  if (bytes.length < 2 * lengthBytes) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rest = bytes.length - lengthBytes;
  view.setUint32(0, rest);
  const headerBytes = view.getUint32(lengthBytes);
  if (headerBytes > rest - lengthBytes) view.setUint32(lengthBytes, rest - lengthBytes);
}

function messageDecoder(
  name: string,
  samples: readonly Uint8Array[],
  parse: (frame: Frame) => unknown,
): Decoder {
  return {
    name: `metadata host: ${name}`,
    samples: samples.map((sample) => new Uint8Array(sample)),
    read: (bytes) => valueOr(FrameError, () => parse(firstFrame(bytes))),
    mutate: changeHeader,
    seal: sealFrame,
  };
}

/** What was read can be written, and is then read the same. */
function sameAgain<Message>(
  parse: (frame: Frame) => Message,
  encode: (message: Message) => Uint8Array,
): (frame: Frame) => void {
  return (frame) => {
    const message = encode(parse(frame));
    const again = encode(parse(firstFrame(message)));
    if (Buffer.compare(message, again) !== 0) throw new Error("it is not what it was read from");
  };
}

export function metadataHostDecoders(): readonly Decoder[] {
  const all = [...requests.map(encodeRequest), ...replies.map(encodeReply)];
  const hello = encodeRequest({ op: "hello", version: hostProtocolVersion, client: writeId });
  const welcomes = [
    encodeReply({ kind: "welcome", at: 7 }),
    encodeReply({ kind: "unwelcome", version: 9 }),
  ];
  return [
    {
      name: "metadata host: frames of a stream",
      samples: [joined(...all), joined(hello, ...all.slice(0, 3))],
      read: (bytes) => valueOr(FrameError, () => framesOf(bytes)),
    },
    messageDecoder("hello", [hello], sameAgain(parseHello, encodeRequest)),
    messageDecoder("welcome", welcomes, sameAgain(parseWelcome, encodeReply)),
    messageDecoder("request", requests.map(encodeRequest), sameAgain(parseRequest, encodeRequest)),
    messageDecoder("reply", replies.map(encodeReply), sameAgain(parseReply, encodeReply)),
  ];
}
