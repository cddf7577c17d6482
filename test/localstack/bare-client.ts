import { connect as connectPlainly, type Socket } from "node:net";
import { connect as connectByTls } from "node:tls";
import { ApiKey, ErrorCode, type RequestInputByKey, type ResponseByKey } from "@millrace/wire";
import { decodeReply, frames, request } from "../../broker-fargate/src/server/fixtures.ts";
import type { Login } from "./clients.ts";
import { equal, until } from "./steps.ts";

const versions = new Map<ApiKey, number>([
  [ApiKey.SaslHandshake, 1],
  [ApiKey.SaslAuthenticate, 2],
  [ApiKey.Metadata, 12],
]);

/**
 * One connection, and no other when it ends: shows what the broker does to it, where real clients
 * connect again. One request at a time.
 */
export class BareClient {
  readonly #socket: Socket;
  readonly #received: Uint8Array[] = [];
  #answered = 0;
  #isClosed = false;

  constructor({ brokers, ca }: Login, security: "SSL" | "PLAINTEXT") {
    const { hostname: host, port } = new URL(`kafka://${brokers[0] ?? ""}`);
    const at = { host, port: Number(port) };
    this.#socket = security === "SSL" ? connectByTls({ ...at, ca }) : connectPlainly(at);
    this.#socket.on("data", (chunk: Uint8Array) => this.#received.push(chunk));
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => {
      this.#isClosed = true;
    });
  }

  /** What answers, or that the broker ended the connection instead. */
  async ask<Key extends ApiKey>(
    key: Key,
    body: RequestInputByKey[Key],
  ): Promise<ResponseByKey[Key] | "closed"> {
    const version = versions.get(key) ?? 0;
    this.#socket.write(request(key, body, { version }));
    const next = (): Uint8Array | undefined => this.#frames()[this.#answered];
    await until("an answer", () => this.#isClosed || next() !== undefined);
    const frame = next();
    if (frame === undefined) return "closed";
    this.#answered += 1;
    return decodeReply(key, version, frame);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  end(): void {
    this.#socket.destroy();
  }

  /** By PLAIN. */
  async logIn({ password, username }: Login): Promise<void> {
    await this.ask(ApiKey.SaslHandshake, { mechanism: "PLAIN" });
    const authBytes = Buffer.from(`\0${username}\0${password}`);
    const answer = await this.ask(ApiKey.SaslAuthenticate, { authBytes });
    equal(answer === "closed" ? answer : answer.errorCode, ErrorCode.NONE);
  }

  /** None where what came is not whole, or is TLS's own. */
  #frames(): readonly Uint8Array[] {
    try {
      return frames(this.#received);
    } catch {
      return [];
    }
  }
}
