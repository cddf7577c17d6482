/** One connection with any number of requests under way, encoded with wire's codecs. */
import { connect, type Socket } from "node:net";
import {
  type ApiKey,
  apis,
  decodeResponseHeader,
  encodeRequestHeader,
  Reader,
  type RequestInputByKey,
  requestEncoders,
  type ResponseByKey,
  responseDecoders,
  responseHeaderVersion,
  Writer,
} from "@millrace/wire";

interface Waiting {
  readonly take: (frame: Uint8Array) => void;
  readonly fail: (error: Error) => void;
}

export class PipelinedClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #received: Buffer = Buffer.alloc(0);
  #correlationId = 0;
  #isOpen = true;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (chunk: Buffer) => this.#take(chunk));
    this.#socket.on("error", (error) => this.#end(error));
    this.#socket.on("close", () => this.#end(new Error("the broker closed the connection")));
  }

  /** Whether requests can still be answered on it. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  get inFlight(): number {
    return this.#waiting.size;
  }

  /** Rejects when the connection ends before the answer. */
  ask<Key extends ApiKey>(
    key: Key,
    version: number,
    request: RequestInputByKey[Key],
  ): Promise<ResponseByKey[Key]> {
    if (!this.#isOpen) return Promise.reject(new Error("the connection is closed"));
    this.#correlationId += 1;
    const correlationId = this.#correlationId;
    const writer = new Writer("frame");
    encodeRequestHeader(writer, {
      ...{ requestApiKey: key, requestApiVersion: version, correlationId },
      clientId: "probe",
    });
    requestEncoders[key](writer, version, request);
    this.#socket.write(writer.finishBytes());
    return new Promise((resolve, reject) => {
      const take = (frame: Uint8Array): void => {
        const reader = new Reader(frame);
        decodeResponseHeader(reader, responseHeaderVersion(apis[key], version));
        resolve(responseDecoders[key](reader, version));
      };
      this.#waiting.set(correlationId, { take, fail: reject });
    });
  }

  close(): void {
    this.#end(new Error("closed"));
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= 4) {
      const end = 4 + this.#received.readInt32BE(0);
      if (this.#received.length < end) return;
      // A copy of its own: small buffers are slices of a pool, and a Reader counts from its start.
      const frame = new Uint8Array(this.#received.subarray(4, end));
      this.#received = this.#received.subarray(end);
      const correlationId = Buffer.from(frame.buffer).readInt32BE(0);
      const waiting = this.#waiting.get(correlationId);
      this.#waiting.delete(correlationId);
      waiting?.take(frame);
    }
  }

  #end(error: Error): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#socket.destroy();
    for (const { fail } of this.#waiting.values()) fail(error);
    this.#waiting.clear();
  }
}
