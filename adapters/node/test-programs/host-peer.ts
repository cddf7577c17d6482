import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Frame, FrameReader } from "../src/metadata-host-frames.ts";
import {
  encodeRequest,
  hostProtocolVersion,
  type Query,
  type Reply,
  parseReply,
} from "../src/metadata-host-messages.ts";

export const idOf = (n: number): string => n.toString(16).padStart(32, "0");

/** A client of a metadata host that does only what a test says: it may stall, or talk nonsense. */
export class HostPeer {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  readonly #reader = new FrameReader(40_000_000);

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    socket.pause();
  }

  static async connect(path: string): Promise<HostPeer> {
    const socket = connect({ path });
    await once(socket, "connect");
    return new HostPeer(socket);
  }

  static async greet(path: string, client: string): Promise<HostPeer> {
    const peer = await HostPeer.connect(path);
    const hello = { op: "hello", version: hostProtocolVersion, client } as const;
    peer.socket.write(encodeRequest(hello));
    await peer.frame();
    return peer;
  }

  ask(id: number, query: Query): void {
    this.socket.write(encodeRequest({ id, ...query }));
  }

  /** The next one; rejects when the connection ends before. */
  async frame(): Promise<Frame> {
    for (;;) {
      const frame = this.#reader.next();
      if (frame !== undefined) return frame;
      const chunk: unknown = this.socket.read();
      if (chunk instanceof Buffer) this.#reader.push(chunk);
      else if (this.socket.destroyed || this.socket.readableEnded) throw new Error("closed");
      else await Promise.race([once(this.socket, "readable"), this.closed]);
    }
  }

  async reply(): Promise<Reply> {
    return parseReply(await this.frame());
  }
}

export function putOf(key: string, text: string): Query & { readonly op: "transact" } {
  const json = Buffer.from(JSON.stringify({ text }));
  const writes = [{ kind: "put", key, json } as const];
  return { op: "transact", writeId: idOf(1), again: false, since: 1, writes };
}
