import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/**
 * What becomes of one request: `pass`; `loseReply`: it takes effect, and the connection goes before
 * the reply; `loseRequest`: the connection goes before it takes effect; or DynamoDB's own refusals,
 * which its local stand-in never gives.
 */
export type Fate = "pass" | "loseReply" | "loseRequest" | Refusal;

export interface Refusal {
  readonly status: number;
  /** As `ThrottlingException`. */
  readonly type: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** A request as it came, whole. */
export interface Passed {
  /** As `UpdateItem`. */
  readonly operation: string;
  readonly body: Buffer;
  readonly fate: Fate;
}

/** Stands between a store and DynamoDB, and does to its requests what a test says. */
export class ReplyLosingProxy {
  readonly passed: Passed[] = [];
  /** Decides each request's fate by its operation, in its time. */
  fateOf: (operation: string) => Fate | Promise<Fate> = () => "pass";
  readonly #target: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(target: string): Promise<ReplyLosingProxy> {
    const proxy = new ReplyLosingProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next requests of these operations meet these fates, one each. */
  plan(operation: string, ...fates: readonly Fate[]): void {
    const left = [...fates];
    this.fateOf = (each) => (each === operation ? (left.shift() ?? "pass") : "pass");
  }

  /** Sends a request that came before once more, as a network may that held it back. */
  async sendAgain({ operation, body }: Passed): Promise<number> {
    const { status } = await this.#forward(operation, body);
    return status;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const operation = String(request.headers["x-amz-target"]).split(".")[1] ?? "";
    const fate = await this.fateOf(operation);
    this.passed.push({ operation, body, fate });
    if (typeof fate === "object") {
      const type = `com.amazonaws.dynamodb.v20120810#${fate.type}`;
      response.writeHead(fate.status, { "content-type": "application/x-amz-json-1.0" });
      response.end(JSON.stringify({ __type: type, message: "planned", ...fate.fields }));
      return;
    }
    if (fate === "loseRequest") {
      request.socket.destroy();
      return;
    }
    const answer = await this.#forward(operation, body);
    if (fate === "loseReply") {
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.status, { "content-type": "application/x-amz-json-1.0" });
    response.end(answer.body);
  }

  async #forward(
    operation: string,
    body: Buffer,
  ): Promise<{ readonly status: number; readonly body: Buffer }> {
    const headers = {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": `DynamoDB_20120810.${operation}`,
      // The stand-in reads the name of the key and checks no signature.
      authorization:
        "AWS4-HMAC-SHA256 Credential=nobody/20260101/us-east-1/dynamodb/aws4_request, " +
        "SignedHeaders=host, Signature=0",
    };
    const answer = await fetch(this.#target, { method: "POST", headers, body });
    return { status: answer.status, body: Buffer.from(await answer.arrayBuffer()) };
  }
}
