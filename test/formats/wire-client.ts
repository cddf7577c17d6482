/** One connection to a broker that sends one request at a time, encoded with wire's codecs. */
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

const answerMsMax = 20_000;

interface Waiting {
  readonly resolve: (frame: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

export class WireClient {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: Waiting | undefined;
  #correlationId = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the broker closed the connection")));
    socket.setTimeout(answerMsMax, () => this.#fail(new Error("the broker does not answer")));
  }

  static open(port: number): Promise<WireClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new WireClient(socket)));
      socket.once("error", reject);
    });
  }

  /** Rejects when the connection ends, or nothing comes, before the answer. */
  async ask<Key extends ApiKey>(
    key: Key,
    version: number,
    request: RequestInputByKey[Key],
  ): Promise<ResponseByKey[Key]> {
    this.#correlationId += 1;
    const header = {
      requestApiKey: key,
      requestApiVersion: version,
      correlationId: this.#correlationId,
      clientId: "formats",
    };
    const writer = new Writer("frame");
    encodeRequestHeader(writer, header);
    requestEncoders[key](writer, version, request);
    const answered = new Promise<Uint8Array>((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    this.#socket.write(writer.finishBytes());
    const reader = new Reader(await answered);
    const { correlationId } = decodeResponseHeader(
      reader,
      responseHeaderVersion(apis[key], version),
    );
    if (correlationId !== this.#correlationId) throw new Error("an answer to another request");
    return responseDecoders[key](reader, version);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    if (this.#received.length < 4) return;
    const end = 4 + this.#received.readInt32BE(0);
    if (this.#received.length < end) return;
    const frame = new Uint8Array(this.#received.subarray(4, end));
    this.#received = this.#received.subarray(end);
    this.#waiting?.resolve(frame);
    this.#waiting = undefined;
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
    this.#socket.destroy();
  }
}
