import type { World } from "./world.ts";

/** How bytes travel at the moment. The nemesis changes it. */
export interface NetworkWeather {
  /** The longest delay of a chunk, in milliseconds. */
  delayMsMax: number;
  /** Of 1000 chunks, how many are cut to a random size. */
  splitPerThousand: number;
}

export type Direction = "request" | "reply";

/** Where in the stream of frames a connection was reset. */
export type ResetPlace = "inRequest" | "inReply" | "betweenFrames";

/** All links of a simulation. */
export class Network {
  readonly world: World;
  readonly weather: NetworkWeather = { delayMsMax: 1, splitPerThousand: 250 };
  readonly resets: Record<ResetPlace, number> = { inRequest: 0, inReply: 0, betweenFrames: 0 };
  readonly #pipes = new Set<Pipe>();
  #armed: Direction | undefined;
  #pipesMade = 0;

  constructor(world: World) {
    this.world = world;
  }

  get open(): number {
    return this.#pipes.size;
  }

  /** A new connection; both ends are told of a reset. */
  pipe(ends: PipeEnds): Pipe {
    this.#pipesMade += 1;
    const pipe = new Pipe(this, ends, this.#pipesMade);
    this.#pipes.add(pipe);
    return pipe;
  }

  /** Resets a random connection, wherever its frames are. */
  resetAny(): void {
    const pipes = [...this.#pipes];
    if (pipes.length > 0) this.world.pick(pipes).reset("nemesis");
  }

  resetAll(): void {
    for (const pipe of [...this.#pipes]) pipe.reset("nemesis");
  }

  /** The next frame in this direction, on whatever connection, is cut in its middle. */
  resetInNext(direction: Direction): void {
    this.#armed = direction;
  }

  /** For a stream that is about to deliver: whether to cut it off here. */
  takeArmed(direction: Direction): boolean {
    if (this.#armed !== direction) return false;
    this.#armed = undefined;
    return true;
  }

  forget(pipe: Pipe): void {
    this.#pipes.delete(pipe);
  }
}

/** What happens at the ends of a connection. */
export interface PipeEnds {
  /** Bytes for the broker, and for the client. */
  readonly received: Readonly<Record<Direction, (chunk: Uint8Array) => void>>;
  /** All that was sent has been delivered. */
  readonly drained: Readonly<Record<Direction, () => void>>;
  /** The connection is gone, for both. */
  readonly closed: (error: Error | undefined) => void;
}

/** A connection: two streams of bytes, closed together. */
export class Pipe {
  readonly name: string;
  readonly request: ByteStream;
  readonly reply: ByteStream;
  readonly #network: Network;
  readonly #ends: PipeEnds;
  #isClosed = false;

  constructor(network: Network, ends: PipeEnds, number: number) {
    this.#network = network;
    this.#ends = ends;
    this.name = `link-${number}`;
    const stream = (direction: Direction): ByteStream =>
      new ByteStream(network, {
        direction,
        received: (chunk) => {
          network.world.trace.addBytes(`${this.name} ${direction}`, chunk);
          ends.received[direction](chunk);
        },
        drained: ends.drained[direction],
        cut: () => this.reset("nemesis"),
      });
    this.request = stream("request");
    this.reply = stream("reply");
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  reset(cause: string): void {
    if (this.#isClosed) return;
    const place: ResetPlace = this.request.isInFrame
      ? "inRequest"
      : this.reply.isInFrame
        ? "inReply"
        : "betweenFrames";
    this.#network.resets[place] += 1;
    this.#network.world.trace.add(`${this.name} reset ${place} by ${cause}`);
    this.close(new Error(`reset by ${cause}`));
  }

  close(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.request.stop();
    this.reply.stop();
    this.#network.forget(this);
    this.#network.world.clock.after(0, () => this.#ends.closed(error));
  }
}

interface StreamOptions {
  readonly direction: Direction;
  readonly received: (chunk: Uint8Array) => void;
  readonly drained: () => void;
  /** The stream was cut in the middle of a frame. */
  readonly cut: () => void;
}

/** Bytes on their way in one direction: in order, in chunks and with delays as the weather has it. */
export class ByteStream {
  readonly #network: Network;
  readonly #options: StreamOptions;
  #frames: UnsentFrame[] = [];
  /** What is left to deliver of the frame that is on its way; it begins inside of the frame. */
  #rest: Uint8Array | undefined;
  #unsentBytes = 0;
  #isPaused = false;
  #isHeld = false;
  #isStopped = false;
  #isScheduled = false;

  constructor(network: Network, options: StreamOptions) {
    this.#network = network;
    this.#options = options;
  }

  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** Whether a part of a frame was delivered and the rest was not. */
  get isInFrame(): boolean {
    return this.#rest !== undefined;
  }

  /** The parts of a frame must not change until `sent`: they are read when the frame leaves. */
  send(parts: readonly Uint8Array[], sent?: () => void): void {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (this.#isStopped || bytes === 0) return;
    this.#frames.push({ parts, sent });
    this.#unsentBytes += bytes;
    this.#schedule();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#schedule();
  }

  /** The link is cut in this direction: what is sent is under way until it is mended. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.#schedule();
  }

  stop(): void {
    this.#isStopped = true;
    this.#frames = [];
    this.#rest = undefined;
    this.#unsentBytes = 0;
  }

  #schedule(): void {
    const isAtRest = this.#isScheduled || this.#isPaused || this.#isHeld || this.#isStopped;
    if (isAtRest || this.#isEmpty) return;
    this.#isScheduled = true;
    const { world, weather } = this.#network;
    world.clock.after(world.random.below(weather.delayMsMax + 1), () => {
      this.#isScheduled = false;
      if (!this.#isPaused && !this.#isHeld && !this.#isStopped) this.#deliver();
    });
  }

  get #isEmpty(): boolean {
    return this.#rest === undefined && this.#frames.length === 0;
  }

  #deliver(): void {
    const { world, weather } = this.#network;
    const rest = this.#rest ?? this.#nextFrame();
    if (rest === undefined) return;
    const isCut = rest.length > 1 && this.#network.takeArmed(this.#options.direction);
    const isSplit = isCut || (rest.length > 1 && world.chance(weather.splitPerThousand));
    const chunk = isSplit ? rest.subarray(0, world.between(1, rest.length - 1)) : rest;
    this.#unsentBytes -= chunk.length;
    this.#rest = chunk.length < rest.length ? rest.subarray(chunk.length) : undefined;
    this.#options.received(chunk.slice());
    if (isCut) this.#options.cut();
    if (this.#isStopped) return;
    if (this.#isEmpty) this.#options.drained();
    this.#schedule();
  }

  /** The kernel takes the next frame: from now on its sender's memory may change. */
  #nextFrame(): Uint8Array | undefined {
    const frame = this.#frames.shift();
    if (frame === undefined) return undefined;
    const bytes = concatenate(frame.parts);
    frame.sent?.();
    return bytes;
  }
}

interface UnsentFrame {
  readonly parts: readonly Uint8Array[];
  readonly sent: (() => void) | undefined;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
