/**
 * A `Link` over a socket of Node.
 *
 * Two ways to read: into one buffer that all sockets share (`onread`), or by 'data' events, which
 * allocate for every chunk and cost twice the time. Node documents `onread` for outgoing sockets
 * only; `adoptSocket` gives it to an accepted one by making a second socket over its handle, and
 * falls back to events where that is not possible. Both are held to one contract test.
 */
import { Socket, type SocketConstructorOpts } from "node:net";
import { nextTick } from "node:process";
import { setImmediate } from "node:timers";
import { outputWatermarkBytes, socketReadBytes, turnReadBytesMax } from "../limits.ts";
import type { Link, LinkListener } from "./link.ts";

const noBytes = new Uint8Array(0);

/** Every read is done and handed on within one callback, so that sockets can share it. */
let sharedBuffer: Uint8Array | undefined;

/** Takes over a socket that a server accepted with `pauseOnConnect`. */
export function adoptSocket(accepted: Socket): SocketLink {
  const handle: unknown = Reflect.get(accepted, "_handle");
  if (typeof handle !== "object" || handle === null || !("useUserBuffer" in handle)) {
    return eventSocketLink(accepted);
  }
  sharedBuffer ??= new Uint8Array(socketReadBytes);
  const options = {
    handle,
    allowHalfOpen: true,
    onread: {
      buffer: sharedBuffer,
      callback: (bytesRead: number, buffer: Uint8Array): boolean => {
        link.received(buffer.subarray(0, bytesRead));
        return true;
      },
    },
  };
  // The declared type of `handle` knows none of an accepted socket.
  const link = new SocketLink(new Socket(options as unknown as SocketConstructorOpts));
  return link;
}

/** The way without undocumented parts. The socket must have been accepted with `allowHalfOpen`. */
export function eventSocketLink(socket: Socket): SocketLink {
  const link = new SocketLink(socket);
  socket.on("data", (chunk: Uint8Array) => link.received(chunk));
  return link;
}

export class SocketLink implements Link {
  private readonly socket: Socket;
  private listener: LinkListener | undefined;
  private error: Error | undefined;
  private isFull = false;
  private isClosing = false;
  private isCorked = false;
  private isPaused = false;
  /** Its turn's share of the event loop is used up. */
  private isYielding = false;
  private turnBytes = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", (error) => {
      this.error = error;
    });
    socket.on("end", () => this.listener?.inputEnded());
    socket.on("drain", () => this.drained());
    socket.on("close", () => this.listener?.closed(this.error));
  }

  /** Begins to deliver. To be called in the same turn in which the socket was accepted. */
  start(listener: LinkListener): void {
    this.listener = listener;
    this.socket.resume();
  }

  /** For the reading side above. */
  received(chunk: Uint8Array): void {
    if (chunk.length > 0 && !this.isClosing) this.listener?.receive(chunk);
    // libuv reads a socket again in the same turn, 32 times at most, as long as it fills the buffer.
    this.turnBytes = chunk.length < socketReadBytes ? 0 : this.turnBytes + chunk.length;
    if (this.turnBytes >= turnReadBytesMax) this.yieldTurn();
  }

  /** What is written in one turn of the event loop leaves in one system call. */
  write(parts: readonly Uint8Array[], sent?: () => void): "ok" | "full" {
    if (this.isClosing || this.socket.destroyed) return "ok";
    if (!this.isCorked) {
      this.isCorked = true;
      this.socket.cork();
      nextTick(() => {
        this.isCorked = false;
        this.socket.uncork();
      });
    }
    const last = parts.length - 1;
    for (let i = 0; i < last; i++) this.socket.write(parts[i] as Uint8Array);
    this.socket.write(parts[last] ?? noBytes, (error) => {
      if (!error) sent?.();
    });
    this.isFull = this.socket.writableLength > outputWatermarkBytes;
    return this.isFull ? "full" : "ok";
  }

  unsentBytes(): number {
    return this.socket.writableLength;
  }

  pause(): void {
    this.isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    this.isPaused = false;
    if (!this.isYielding) this.socket.resume();
  }

  /**
   * After `"written"` the peer is read, and what it sends dropped, until it closes too: a socket
   * that is closed with unread bytes is reset, and the peer might lose the last replies.
   */
  close(when: "written" | "now"): void {
    this.isClosing = true;
    this.isPaused = false;
    if (when === "now") {
      this.socket.destroy();
      return;
    }
    this.socket.end();
    this.socket.resume();
  }

  /** Reads on in the next turn, so that one peer's stream does not hold up all others. */
  private yieldTurn(): void {
    this.turnBytes = 0;
    if (this.isYielding || this.isClosing) return;
    this.isYielding = true;
    this.socket.pause();
    setImmediate(() => {
      this.isYielding = false;
      if (!this.isPaused && !this.socket.destroyed) this.socket.resume();
    });
  }

  private drained(): void {
    if (!this.isFull) return;
    this.isFull = false;
    this.listener?.drained();
  }
}
