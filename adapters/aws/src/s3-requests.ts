import { Readable } from "node:stream";
import { type Clock, objectBytes, ObjectError } from "@millrace/core";
import type { Crc32c } from "@millrace/wire";
import { joinedBytesMax } from "./limits.ts";

/** The part of a response's body that is used: Node's stream. */
export interface ResponseBody extends AsyncIterable<Uint8Array> {
  destroy(error?: Error): unknown;
}

/** Gives the request a signal that aborts it when it takes too long, its body included. */
export async function withinTime<Result>(
  { clock, msMax }: { readonly clock: Clock; readonly msMax: number },
  request: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const timer = clock.after(msMax, () => controller.abort());
  try {
    return await request(controller.signal);
  } finally {
    timer.cancel();
  }
}

/** All of a body whose length is that of `into`. */
export async function readBody(
  body: ResponseBody,
  { into, signal }: { readonly into: Uint8Array; readonly signal: AbortSignal },
): Promise<Uint8Array> {
  const timeout = new Error("the body took too long");
  timeout.name = "TimeoutError";
  const onAbort = (): unknown => body.destroy(timeout);
  signal.addEventListener("abort", onAbort, { once: true });
  const bytes = into.length;
  let at = 0;
  try {
    for await (const chunk of body) {
      if (at + chunk.length > bytes) throw wrongLength(bytes);
      into.set(chunk, at);
      at += chunk.length;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  if (at < bytes) throw wrongLength(bytes);
  return into;
}

function wrongLength(bytes: number): ObjectError {
  const details = { retriable: true, applied: "no" } as const;
  return new ObjectError(`a body is not of the ${bytes} bytes that were announced`, details);
}

/**
 * A request's body and its length, for one try. Large views are sent as they are: to join megabytes
 * took more than twice the time of everything else about a request, most of it for page faults and
 * garbage collections.
 */
export function bodyOf(views: readonly Uint8Array[]): {
  readonly Body: Uint8Array | Readable;
  readonly ContentLength: number;
} {
  const [first] = views;
  const ContentLength = objectBytes(views);
  if (first !== undefined && views.length === 1) return { Body: first, ContentLength };
  if (ContentLength <= joinedBytesMax) return { Body: Buffer.concat(views), ContentLength };
  return { Body: Readable.from(joined(views), { objectMode: false }), ContentLength };
}

/** The views, with small ones that follow each other as one: each of what it yields is a write. */
function* joined(views: readonly Uint8Array[]): Generator<Uint8Array> {
  let small: Uint8Array[] = [];
  let smallBytes = 0;
  for (const view of views) {
    if (smallBytes + view.length <= joinedBytesMax) {
      small.push(view);
      smallBytes += view.length;
      continue;
    }
    if (smallBytes > 0) yield Buffer.concat(small);
    const isSmall = view.length <= joinedBytesMax;
    small = isSmall ? [view] : [];
    smallBytes = isSmall ? view.length : 0;
    if (!isSmall) yield view;
  }
  if (smallBytes > 0) yield Buffer.concat(small);
}

/** Of the views' bytes, one after another. */
export function crcOf(views: readonly Uint8Array[], crc32c: Crc32c): number {
  return views.reduce((crc, view) => crc32c(view, crc), 0);
}

/** As S3 wants a CRC-32C: the base64 of its four bytes, the highest first. */
export function crcText(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc);
  return bytes.toString("base64");
}
