import { connect, type Socket } from "node:net";
import { type Frame, FrameError, FrameReader } from "./metadata-host-frames.ts";
import {
  encodeRequest,
  hostProtocolVersion,
  parseReply,
  parseWelcome,
  type Reply,
  type Request,
} from "./metadata-host-messages.ts";

export interface HostLinkDeps {
  readonly socketPath: string;
  /** The same for every link of one client. */
  readonly client: string;
  readonly frameBytesMax: number;
  /** Requests may be sent from now on. `at`: see WriteOutcomes. */
  readonly onWelcome: (at: number) => void;
  /** The host speaks another version; the link is closed. */
  readonly onUnwelcome: (version: number) => void;
  readonly onReply: (reply: Reply) => void;
  /** The socket took what waited. */
  readonly onDrain: () => void;
  /** Once, not within a call of this link, unless the client itself ended it. */
  readonly onClosed: (cause: Error | undefined) => void;
}

/** One connection to the metadata host, from the client's side; begins when it is made. */
export class HostLink {
  readonly #deps: HostLinkDeps;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  #isWelcome = false;
  #isEnded = false;
  #cause: Error | undefined;

  constructor(deps: HostLinkDeps) {
    this.#deps = deps;
    this.#reader = new FrameReader(deps.frameBytesMax);
    this.#socket = connect({ path: deps.socketPath });
    this.#socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.#socket.on("drain", () => deps.onDrain());
    this.#socket.on("error", (error) => (this.#cause ??= error));
    this.#socket.on("close", () => {
      if (!this.#isEnded) deps.onClosed(this.#cause);
    });
    const hello = { op: "hello", version: hostProtocolVersion, client: deps.client } as const;
    this.#socket.write(encodeRequest(hello));
  }

  get isWelcome(): boolean {
    return this.#isWelcome;
  }

  /** Bytes that the socket did not take yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** What is sent in one turn of the event loop goes with one call of the system. */
  send(request: Request): void {
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork();
      setImmediate(() => this.#socket.uncork());
    }
    this.#socket.write(encodeRequest(request));
  }

  end(): void {
    this.#isEnded = true;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#reader.push(chunk);
    try {
      while (!this.#isEnded && !this.#socket.destroyed) {
        const frame = this.#reader.next();
        if (frame === undefined) return;
        if (this.#isWelcome) this.#deps.onReply(parseReply(frame));
        else this.#greeted(frame);
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#cause = error;
      this.#socket.destroy();
    }
  }

  #greeted(frame: Frame): void {
    const welcome = parseWelcome(frame);
    if (welcome.kind === "unwelcome") {
      this.end();
      this.#deps.onUnwelcome(welcome.version);
      return;
    }
    this.#isWelcome = true;
    this.#deps.onWelcome(welcome.at);
  }
}
