/**
 * The bench's own requests: topics are made, and partitions asked for, without a JVM each. One
 * request at a time on a connection; loads are driven by Kafka's tools, not by this.
 */
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

const answerMsMax = 120_000;

interface Waiting {
  readonly resolve: (frame: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

export class BenchClient {
  readonly #socket: Socket;
  /** Of the frame that is arriving, its length included. */
  #chunks: Buffer[] = [];
  #receivedBytes = 0;
  #waiting: Waiting | undefined;
  #correlationId = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the broker closed the connection")));
    socket.setTimeout(answerMsMax, () => {
      if (this.#waiting !== undefined) this.#fail(new Error("the broker does not answer"));
    });
  }

  static open(port: number): Promise<BenchClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.off("error", reject);
        resolve(new BenchClient(socket));
      });
      socket.once("error", reject);
    });
  }

  async ask<Key extends ApiKey>(
    key: Key,
    version: number,
    request: RequestInputByKey[Key],
  ): Promise<ResponseByKey[Key]> {
    const reader = new Reader(await this.exchange(this.encode(key, version, request)));
    decodeResponseHeader(reader, responseHeaderVersion(apis[key], version));
    return responseDecoders[key](reader, version);
  }

  /** The bytes of a request, its length included. */
  encode<Key extends ApiKey>(
    key: Key,
    version: number,
    request: RequestInputByKey[Key],
  ): Uint8Array {
    this.#correlationId += 1;
    const writer = new Writer("frame");
    encodeRequestHeader(writer, {
      requestApiKey: key,
      requestApiVersion: version,
      correlationId: this.#correlationId,
      clientId: "bench",
    });
    requestEncoders[key](writer, version, request);
    return writer.finishBytes();
  }

  /** Resolves with the answer as it came, from its correlation id on. */
  exchange(request: Uint8Array): Promise<Uint8Array> {
    if (this.#waiting !== undefined) throw new Error("one request at a time");
    if (this.#socket.destroyed) throw new Error("the connection is closed");
    const answered = new Promise<Uint8Array>((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    this.#socket.write(request);
    return answered;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#receivedBytes += chunk.length;
    if (this.#receivedBytes < 4) return;
    const [first = chunk] = this.#chunks;
    if (first.length < 4) this.#chunks = [Buffer.concat(this.#chunks)];
    const length = (this.#chunks[0] ?? chunk).readInt32BE(0);
    if (this.#receivedBytes < 4 + length) return;
    const frame = Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#receivedBytes = 0;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    // A copy of its own: small buffers are slices of a pool, and a Reader counts from its start.
    waiting?.resolve(new Uint8Array(frame.subarray(4)));
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
    this.#socket.destroy();
  }
}

export async function withClient<Result>(
  port: number,
  use: (client: BenchClient) => Promise<Result>,
): Promise<Result> {
  const client = await BenchClient.open(port);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}
