import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { SeededRandom } from "@millrace/adapter-memory";
import type { Clock } from "@millrace/core";
import { crc32c } from "@millrace/wire";
import { S3ObjectStore, type S3ObjectStoreOptions } from "./object-store.ts";

/** A request as the server got it, whole. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export type Answer = (asked: Asked, response: ServerResponse) => void;

/** A server that answers as the test says: what S3 does when it does not do well. */
export class ScriptedS3 {
  readonly asked: Asked[] = [];
  answer: Answer = (_, response) => void response.end();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  socketsMost = 0;
  socketsMade = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { pathname, searchParams } = new URL(request.url ?? "", "http://x");
        const { method = "", headers } = request;
        const body = Buffer.concat(chunks);
        const asked = { method, path: pathname, query: searchParams, headers, body };
        this.asked.push(asked);
        this.answer(asked, response);
      });
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      this.socketsMade += 1;
      this.socketsMost = Math.max(this.socketsMost, this.#sockets.size);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<ScriptedS3> {
    const server = new ScriptedS3();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  openStore(options: Partial<S3ObjectStoreOptions> = {}): Promise<S3ObjectStore> {
    return S3ObjectStore.open({
      bucket: "bucket",
      prefix: "some/prefix",
      endpoint: this.endpoint,
      addressing: "path",
      clock: hurried,
      random: new SeededRandom(1),
      crc32c,
      rules: "unchecked",
      ...options,
    });
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Waits between tries, which are short, take a hundredth of their time; timeouts all of it. */
const hurried = clockWith((delayMs) => (delayMs < 5_000 ? delayMs / 100 : delayMs));

/** Timeouts too take a hundredth of their time. */
export const impatient: Clock = clockWith((delayMs) => delayMs / 100);

function clockWith(realMs: (delayMs: number) => number): Clock {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    after: (delayMs, run) => {
      const timer = setTimeout(run, realMs(delayMs));
      return { cancel: () => clearTimeout(timer) };
    },
  };
}

export function xml(name: string, content: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><${name}>${content}</${name}>`;
}

/** An error as S3 words it. */
export function failing(status: number, code: string): Answer {
  return (_, response) => {
    response.statusCode = status;
    response.end(xml("Error", `<Code>${code}</Code><Message>scripted</Message>`));
  };
}

/** The connection goes while the answer is awaited. */
export const cutting: Answer = (_, response) => void response.socket?.destroy();

export const silent: Answer = () => undefined;

/** Answers each request with the next of these, and with the last from then on. */
export function inTurn(...answers: readonly Answer[]): Answer {
  let next = 0;
  return (asked, response) => {
    const answer = answers[Math.min(next, answers.length - 1)];
    next += 1;
    answer?.(asked, response);
  };
}
