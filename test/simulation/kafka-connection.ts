import type { Clock } from "@millrace/core";
import {
  type ApiKey,
  apis,
  decodeResponseHeader,
  encodeRequestHeader,
  Reader,
  type RequestInputByKey,
  type ResponseByKey,
  requestEncoders,
  responseDecoders,
  responseHeaderVersion,
  Writer,
} from "@millrace/wire";
import type { Brokers } from "./client.ts";
import type { Life } from "./life.ts";
import type { Pipe } from "./network.ts";

/** The connection is gone, or was never made; whether the broker acted, nobody knows. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/** A client, as its connections know it: who it is, and how long it lives. */
export interface Client {
  readonly name: string;
  readonly host: Brokers;
  readonly life: Life;
  readonly clock: Clock;
  /** How long it waits for a reply before it gives the connection up. */
  readonly requestTimeoutMs: number;
}

interface Waiting {
  readonly apiKey: ApiKey;
  readonly version: number;
  readonly correlationId: number;
  readonly resolve: (response: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The Kafka protocol from the client's side: requests may be pipelined, replies come in order. */
export class KafkaConnection {
  /** Undefined: of the only broker, or of any. */
  readonly address: string | undefined;
  readonly #client: Client;
  #pipe: Pipe | undefined;
  #received: Uint8Array = new Uint8Array(0);
  #waiting: Waiting[] = [];
  #correlationId = 0;

  /** To the address, or to any broker; undefined when nobody listens. */
  static open(client: Client, address?: string): KafkaConnection | undefined {
    const connection = new KafkaConnection(client, address);
    const linked = {
      name: client.name,
      received: (chunk: Uint8Array) => connection.#receive(chunk),
      closed: () => connection.#lost(),
    };
    connection.#pipe = client.host.connect(linked, address);
    if (connection.#pipe === undefined) return undefined;
    const forget = client.life.onEnd(() => connection.close());
    connection.#forget = forget;
    return connection;
  }

  #forget: () => void = () => undefined;

  private constructor(client: Client, address: string | undefined) {
    this.#client = client;
    this.address = address;
  }

  get isOpen(): boolean {
    return this.#pipe !== undefined && !this.#pipe.isClosed;
  }

  /** Rejects with ConnectionLost, and then the request may have had its effect. */
  request<Key extends ApiKey>(
    apiKey: Key,
    version: number,
    body: RequestInputByKey[Key],
  ): Promise<ResponseByKey[Key]> {
    const correlationId = this.#send(apiKey, version, body);
    if (correlationId === undefined) return Promise.reject(new ConnectionLost("not connected"));
    const answer = new Promise<unknown>((resolve, reject) => {
      const timer = this.#client.clock.after(this.#client.requestTimeoutMs, () => this.close());
      this.#waiting.push({
        apiKey,
        version,
        correlationId,
        resolve: (response) => {
          timer.cancel();
          resolve(response);
        },
        reject: (error) => {
          timer.cancel();
          reject(error);
        },
      });
    });
    return this.#client.life.fence(answer) as Promise<ResponseByKey[Key]>;
  }

  /** A request that gets no reply. */
  post<Key extends ApiKey>(apiKey: Key, version: number, body: RequestInputByKey[Key]): void {
    this.#send(apiKey, version, body);
  }

  close(): void {
    this.#pipe?.close(undefined);
    this.#lost();
  }

  #send<Key extends ApiKey>(
    apiKey: Key,
    version: number,
    body: RequestInputByKey[Key],
  ): number | undefined {
    if (!this.isOpen) return undefined;
    this.#client.host.world.count();
    this.#correlationId += 1;
    const correlationId = this.#correlationId;
    const writer = new Writer("frame");
    encodeRequestHeader(writer, {
      requestApiKey: apiKey,
      requestApiVersion: version,
      correlationId,
      clientId: this.#client.name,
    });
    requestEncoders[apiKey](writer, version, body);
    this.#pipe?.request.send([writer.finishBytes()]);
    return correlationId;
  }

  #receive(chunk: Uint8Array): void {
    const all = new Uint8Array(this.#received.length + chunk.length);
    all.set(this.#received);
    all.set(chunk, this.#received.length);
    let at = 0;
    const view = new DataView(all.buffer);
    while (all.length - at >= 4) {
      const end = at + 4 + view.getInt32(at);
      if (end > all.length) break;
      this.#answer(all.subarray(at + 4, end));
      at = end;
    }
    this.#received = all.slice(at);
  }

  #answer(frame: Uint8Array): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) {
      this.#client.host.note(`${this.#client.name} got a reply that it did not ask for`);
      return;
    }
    const { apiKey, version, correlationId } = waiting;
    const reader = new Reader(frame);
    const header = decodeResponseHeader(reader, responseHeaderVersion(apis[apiKey], version));
    if (header.correlationId !== correlationId) {
      const what = `reply ${header.correlationId} to request ${correlationId}`;
      this.#client.host.note(`${this.#client.name}: ${what}`);
    }
    const response = responseDecoders[apiKey](reader, version);
    reader.expectEnd();
    waiting.resolve(response);
  }

  #lost(): void {
    this.#forget();
    for (const waiting of this.#waiting.splice(0)) waiting.reject(new ConnectionLost("lost"));
  }
}
