import { type Clock, ObjectError } from "@millrace/core";

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

/** All of a body of known length, in memory of its own. */
export async function readBody(
  body: ResponseBody,
  { bytes, signal }: { readonly bytes: number; readonly signal: AbortSignal },
): Promise<Uint8Array> {
  const timeout = new Error("the body took too long");
  timeout.name = "TimeoutError";
  const onAbort = (): unknown => body.destroy(timeout);
  signal.addEventListener("abort", onAbort, { once: true });
  const into = new Uint8Array(bytes);
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

/** The views' bytes in one buffer; a single view is taken as it is. */
export function oneBuffer(views: readonly Uint8Array[]): Uint8Array {
  const [first] = views;
  if (first !== undefined && views.length === 1) return first;
  return Buffer.concat(views);
}

/** As S3 wants a CRC-32C: the base64 of its four bytes, the highest first. */
export function crcText(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc);
  return bytes.toString("base64");
}
