import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Clock, Random } from "@millrace/core";
import { writeBackoffMsMax } from "./limits.ts";
import { DynamoDbMetadataStore, type DynamoDbMetadataStoreOptions } from "./metadata-store.ts";

/** A request as the server got it, parsed. */
export interface AskedOfDynamoDb {
  /** As `UpdateItem`. */
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
}

export type DynamoDbAnswer = (asked: AskedOfDynamoDb, response: ServerResponse) => void;

const credentials = { accessKeyId: "nobody", secretAccessKey: "nothing" };

/** A server that answers as the test says: what DynamoDB does when it does not do well. */
export class ScriptedDynamoDb {
  readonly asked: AskedOfDynamoDb[] = [];
  answer: DynamoDbAnswer = ok({});
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const operation = String(request.headers["x-amz-target"]).split(".")[1] ?? "";
        const input = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
        const asked = { operation, input };
        this.asked.push(asked);
        this.answer(asked, response);
      });
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<ScriptedDynamoDb> {
    const server = new ScriptedDynamoDb();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get place(): { endpoint: string; table: string; credentials: typeof credentials } {
    const { port } = this.#server.address() as AddressInfo;
    return { endpoint: `http://127.0.0.1:${port}`, table: "table", credentials };
  }

  openStore(
    random: Random,
    options: Partial<DynamoDbMetadataStoreOptions>,
  ): Promise<DynamoDbMetadataStore> {
    return DynamoDbMetadataStore.open({ ...this.place, clock: hurried, random, ...options });
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Waits between tries take a hundredth of their time; timeouts all of it. */
export const hurried: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs <= writeBackoffMsMax ? delayMs / 100 : delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

export function ok(output: unknown): DynamoDbAnswer {
  return answering(200, output);
}

/** An error as DynamoDB words it. */
export function refusing(status: number, type: string, fields: object = {}): DynamoDbAnswer {
  const __type = `com.amazonaws.dynamodb.v20120810#${type}`;
  return answering(status, { __type, message: "scripted", ...fields });
}

export const cut: DynamoDbAnswer = (_, response) => void response.socket?.destroy();

export const mute: DynamoDbAnswer = () => undefined;

function answering(status: number, output: unknown): DynamoDbAnswer {
  return (_, response) => {
    response.writeHead(status, { "content-type": "application/x-amz-json-1.0" });
    response.end(JSON.stringify(output));
  };
}
