import type { Socket } from "node:net";
import { type Frame, FrameError, FrameReader } from "./metadata-host-frames.ts";
import {
  type Answer,
  encodeReply,
  hostProtocolVersion,
  parseHello,
  parseRequest,
  type Reply,
  type Request,
} from "./metadata-host-messages.ts";

export interface HostConnectionLimits {
  readonly helloBytesMax: number;
  readonly frameBytesMax: number;
  readonly requestsInFlightMax: number;
  readonly requestBytesInFlightMax: number;
  readonly replyPauseBytes: number;
  readonly replyBytesMax: number;
}

export interface HostConnectionDeps {
  readonly socket: Socket;
  readonly limits: HostConnectionLimits;
  /** The connection belongs to this client from now on. */
  readonly greeted: (client: string) => void;
  /** Never rejects. A read is answered in its turn, so that it sees what was committed before. */
  readonly answer: (request: Request) => Answer | Promise<Answer>;
  /** See WriteOutcomes. */
  readonly at: () => number;
  /** Once, when the host closes the connection for what the client did. */
  readonly onDropped: (reason: string) => void;
}

/**
 * A client's connection to the metadata host.
 *
 * Requests are taken in the order in which they came and answered as they are done. The host reads
 * no further while too many transactions are under way or too many replies wait for the client, so
 * that a client that is paused, in the middle of a frame or of a reply, holds bounded memory and
 * nothing that others need. What a closed connection had not been read is never done.
 */
export class HostConnection {
  readonly #deps: HostConnectionDeps;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  #isGreeted = false;
  #isClosing = false;
  #inFlight = 0;
  #bytesInFlight = 0;
  #idle: (() => void) | undefined;

  constructor(deps: HostConnectionDeps) {
    this.#deps = deps;
    this.#socket = deps.socket;
    this.#reader = new FrameReader(deps.limits.helloBytesMax);
    this.#socket.on("data", (chunk: Buffer) => {
      this.#reader.push(chunk);
      this.#serve();
    });
    this.#socket.on("drain", () => this.#serve());
    // A reset says nothing that the close after it does not.
    this.#socket.on("error", () => undefined);
  }

  /** Nothing more is read, nothing more is answered. */
  destroy(): void {
    this.#isClosing = true;
    this.#socket.destroy();
  }

  /** Reads no more, answers what is under way, and closes when the client took the answers. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#socket.pause();
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    if (this.#socket.destroyed) return;
    const closed = new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    this.#socket.destroySoon();
    await closed;
  }

  #serve(): void {
    try {
      while (!this.#isClosing && !this.#isFull()) {
        const frame = this.#reader.next();
        if (frame === undefined) break;
        if (this.#isGreeted) this.#take(frame);
        else this.#greet(frame);
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#drop(error.message);
    }
    if (this.#isClosing) return;
    if (this.#isFull()) this.#socket.pause();
    else this.#socket.resume();
  }

  #isFull(): boolean {
    const { requestsInFlightMax, requestBytesInFlightMax, replyPauseBytes } = this.#deps.limits;
    return (
      this.#inFlight >= requestsInFlightMax ||
      this.#bytesInFlight >= requestBytesInFlightMax ||
      this.#socket.writableLength >= replyPauseBytes
    );
  }

  #greet(frame: Frame): void {
    const { version, client } = parseHello(frame);
    if (version !== hostProtocolVersion) {
      this.#write(encodeReply({ kind: "unwelcome", version: hostProtocolVersion }));
      this.#isClosing = true;
      this.#deps.onDropped(`a client speaks version ${version}, not ${hostProtocolVersion}`);
      this.#socket.destroySoon();
      return;
    }
    this.#isGreeted = true;
    this.#reader.frameBytesMax = this.#deps.limits.frameBytesMax;
    this.#deps.greeted(client);
    this.#write(encodeReply({ kind: "welcome", at: this.#deps.at() }));
  }

  #take(frame: Frame): void {
    const request = parseRequest(frame);
    const answer = this.#deps.answer(request);
    if (!(answer instanceof Promise)) return this.#reply(request.id, answer);
    this.#inFlight += 1;
    this.#bytesInFlight += frame.bytes;
    void answer.then((late) => {
      this.#inFlight -= 1;
      this.#bytesInFlight -= frame.bytes;
      this.#reply(request.id, late);
      if (this.#inFlight === 0) this.#idle?.();
      this.#serve();
    });
  }

  #reply(id: number, answer: Answer): void {
    if (this.#socket.destroyed) return;
    const reply: Reply = { id, at: this.#deps.at(), ...answer };
    this.#write(encodeReply(reply));
    const waiting = this.#socket.writableLength;
    if (waiting > this.#deps.limits.replyBytesMax) {
      this.#drop(`a client does not take its replies: ${waiting} bytes wait`);
    }
  }

  /** What is written in one turn of the event loop goes with one call of the system. */
  #write(frame: Buffer): void {
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork();
      setImmediate(() => this.#socket.uncork());
    }
    this.#socket.write(frame);
  }

  #drop(reason: string): void {
    if (this.#isClosing && this.#socket.destroyed) return;
    this.destroy();
    this.#deps.onDropped(reason);
  }
}
