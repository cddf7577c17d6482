/** What an attack is, and what it may use. */
import { WireClient } from "../fixtures/wire-client.ts";
import { RawSocket } from "./raw-socket.ts";
import { pause, type Subject } from "./subject.ts";

export interface Attack {
  readonly name: string;
  /** What the attacker does, in one line. */
  readonly does: string;
  /** What the broker holds for it at most, on top of what it has when idle, and why. */
  readonly memory: MemoryBound;
  /** Milliseconds that neighbours may wait at most; the suite's usual bound when not given. */
  readonly waitMsMax?: number;
  /** Performs it and says in a few words what the broker answered; throws a `Surprise` else. */
  readonly perform: (stage: Stage) => Promise<string>;
}

export interface MemoryBound {
  readonly bytes: number;
  readonly because: string;
}

/** The broker answered something else than it has to. */
export class Surprise extends Error {
  override readonly name = "Surprise";
}

/** The place of an attack: a broker, and connections that are closed when it is over. */
export class Stage {
  readonly subject: Subject;
  private readonly sockets: RawSocket[] = [];
  private readonly clients: WireClient[] = [];

  constructor(subject: Subject) {
    this.subject = subject;
  }

  /** Connections that the attack has opened so far. */
  get opened(): number {
    return this.sockets.length + this.clients.length;
  }

  /** To the Kafka port when none is named. */
  async socket(port: number = this.subject.port): Promise<RawSocket> {
    const socket = await RawSocket.open(port);
    this.sockets.push(socket);
    return socket;
  }

  /** Some at a time: the kernel's line of connections that are not accepted yet is short. */
  async manySockets(count: number): Promise<readonly RawSocket[]> {
    const opened: RawSocket[] = [];
    while (opened.length < count) {
      const some = Math.min(100, count - opened.length);
      opened.push(...(await Promise.all(Array.from({ length: some }, () => this.socket()))));
    }
    return opened;
  }

  async client(): Promise<WireClient> {
    const client = await WireClient.open(this.subject.port);
    this.clients.push(client);
    return client;
  }

  clear(): void {
    for (const socket of this.sockets) socket.destroy();
    for (const client of this.clients) client.close();
    this.sockets.length = 0;
    this.clients.length = 0;
  }
}

export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (left !== right) throw new Surprise(`${what}: ${left} instead of ${right}`);
}

export function expectThat(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Surprise(what);
}

/**
 * Sends bytes on a connection of their own. The broker has to close it, for `reason`, and to have
 * answered nothing.
 */
export async function expectClosed(stage: Stage, bytes: Uint8Array, reason: string): Promise<void> {
  const before = await closedFor(stage, reason);
  const socket = await stage.socket();
  socket.send(bytes);
  const ending = await socket.closedWithin(closedMsMax);
  expectThat(ending !== "open", `${reason}: the connection is still open`);
  expectEqual(socket.receivedBytes, 0, `${reason}: bytes of an answer`);
  // The broker counts it when both sides are closed.
  socket.destroy();
  await expectSoon(async () => (await closedFor(stage, reason)) === before + 1, reason);
}

const closedMsMax = 10_000;
const pollMs = 2;

export function closedFor(stage: Stage, reason: string): Promise<number> {
  return stage.subject.metric(`millrace_connections_closed_total{reason="${reason}"}`);
}

/** Waits until it holds; throws when it does not for ten seconds. */
export async function expectSoon(
  holds: () => boolean | Promise<boolean>,
  what: string,
  msMax: number = closedMsMax,
): Promise<void> {
  const deadline = performance.now() + msMax;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Surprise(`not within ${msMax} ms: ${what}`);
    await pause(pollMs);
  }
}

const mebibyte = 1024 * 1024;

export function mebibytes(count: number): number {
  return count * mebibyte;
}
