import type { ReplyMemory } from "../handlers/handler.ts";
import type { Debtor, OutputBacklog } from "./output-backlog.ts";

/**
 * The memory of one connection's reply while it is made, over several turns of the event loop. It
 * counts as unsent before it is written: otherwise all who were let in while there was room would
 * read as much as they like.
 */
export class ReplyInMaking implements ReplyMemory, Debtor {
  private readonly backlog: OutputBacklog;
  private readonly connection: Debtor;
  isWanted = true;
  private bytes = 0;
  private goOn: (() => void) | undefined;

  constructor(backlog: OutputBacklog, connection: Debtor) {
    this.backlog = backlog;
    this.connection = connection;
  }

  grow(bytes: number): void {
    if (!this.isWanted) return;
    this.bytes += bytes;
    this.backlog.grow(bytes);
  }

  /** The reply has been written, or what was made of it is not used. */
  drop(): void {
    const { bytes } = this;
    this.bytes = 0;
    if (bytes > 0) this.backlog.shrink(bytes);
  }

  hasRoom(): boolean {
    return this.backlog.hasRoomFor(this);
  }

  room(): Promise<void> {
    return new Promise((resolve) => {
      if (!this.isWanted || this.backlog.admits(this)) resolve();
      else this.goOn = resolve;
    });
  }

  /** The connection is gone: nobody waits for room any more. */
  close(): void {
    this.isWanted = false;
    this.backlog.forget(this);
    this.drop();
    this.mayStart();
  }

  get keepsUp(): boolean {
    return this.connection.keepsUp;
  }

  unsentBytes(): number {
    return 0;
  }

  mayStart(): void {
    const { goOn } = this;
    this.goOn = undefined;
    goOn?.();
  }

  stalled(): void {
    this.connection.stalled();
  }
}
