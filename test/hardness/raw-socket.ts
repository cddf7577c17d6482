/** A socket that an attacker drives byte by byte, and that never throws for what the broker does. */
import { connect, type Socket } from "node:net";

export type Ending = "ended" | "reset";

export class RawSocket {
  /** Resolves when the broker has closed its side, or cut the connection. */
  readonly closed: Promise<Ending>;
  receivedBytes = 0;
  private readonly socket: Socket;
  private isOpen = true;
  private head: Buffer = Buffer.alloc(0);
  private readonly headBytesMax: number;

  private constructor(socket: Socket, headBytesMax: number) {
    this.socket = socket;
    this.headBytesMax = headBytesMax;
    socket.setNoDelay(true);
    this.closed = new Promise((resolve) => {
      const over = (ending: Ending): void => {
        this.isOpen = false;
        resolve(ending);
      };
      socket.on("error", () => over("reset"));
      socket.on("end", () => over("ended"));
      socket.on("close", () => over("ended"));
    });
    socket.on("data", (chunk: Buffer) => {
      this.receivedBytes += chunk.length;
      if (this.head.length < this.headBytesMax) this.head = Buffer.concat([this.head, chunk]);
    });
  }

  /** Keeps the first bytes that it receives for `received`. Rejects when it can't connect. */
  static open(port: number, headBytesMax = 4096): Promise<RawSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new RawSocket(socket, headBytesMax));
      });
    });
  }

  get received(): Buffer {
    return this.head;
  }

  get stillOpen(): boolean {
    return this.isOpen;
  }

  /** Bytes that wait in this process because the broker does not read. */
  get unsentBytes(): number {
    return this.socket.writableLength;
  }

  send(bytes: Uint8Array): void {
    if (this.isOpen) this.socket.write(bytes);
  }

  /** Reads nothing more, until `readOn`. */
  stopReading(): void {
    this.socket.pause();
  }

  readOn(): void {
    this.socket.resume();
  }

  /** Sends nothing more. */
  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.isOpen = false;
    this.socket.destroy();
  }

  /** A reset instead of an orderly end. */
  reset(): void {
    this.isOpen = false;
    this.socket.resetAndDestroy();
  }

  /** How the broker closed it, or `open` when it did not in that time. */
  async closedWithin(ms: number): Promise<Ending | "open"> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<"open">((resolve) => {
      timer = setTimeout(() => resolve("open"), ms);
    });
    const ending = await Promise.race([this.closed, tooLate]);
    clearTimeout(timer);
    return ending;
  }
}
