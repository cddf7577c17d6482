import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import {
  assert,
  AssertionError,
  itemBytesMax,
  keyBytesMax,
  MetadataError,
  transactBytesMax,
  transactWritesMax,
} from "@millrace/core";
import { type DirectoryLock, lockDirectory } from "./directory-lock.ts";
import {
  hostCloseMsMax,
  hostConnectionsMax,
  hostHelloBytesMax,
  hostOutcomesMax,
  hostPageItemsMax,
  hostReplyBytesMax,
  hostReplyFrameBytesMax,
  hostReplyPauseBytes,
  hostRequestBytesInFlightMax,
  hostRequestFrameBytesMax,
  hostRequestsInFlightMax,
} from "./limits.ts";
import type { TransactBytes } from "./item-bytes.ts";
import { LmdbItems } from "./lmdb-items.ts";
import { HostConnection, type HostConnectionLimits } from "./metadata-host-connection.ts";
import type { Answer, Request, Transact } from "./metadata-host-messages.ts";
import { WriteOutcomes } from "./metadata-host-outcomes.ts";
import { assertSocketPath, unusable } from "./socket-path.ts";

export interface MetadataHostLimits extends HostConnectionLimits {
  readonly connectionsMax: number;
  readonly pageItemsMax: number;
  readonly outcomesMax: number;
}

export const metadataHostLimits: MetadataHostLimits = {
  connectionsMax: hostConnectionsMax,
  helloBytesMax: hostHelloBytesMax,
  frameBytesMax: hostRequestFrameBytesMax,
  requestsInFlightMax: hostRequestsInFlightMax,
  requestBytesInFlightMax: hostRequestBytesInFlightMax,
  replyPauseBytes: hostReplyPauseBytes,
  replyBytesMax: hostReplyBytesMax,
  pageItemsMax: hostPageItemsMax,
  outcomesMax: hostOutcomesMax,
};

/** In a header, of one write or item: its key, escaped, and the names of its fields. */
const writeHeaderBytesMax = 2 * keyBytesMax + 256;
const headersBytesMax = transactWritesMax * writeHeaderBytesMax;
assert(
  transactBytesMax + headersBytesMax <= hostRequestFrameBytesMax,
  "a transaction of the most bytes is larger than a frame",
);
assert(
  transactWritesMax * itemBytesMax + headersBytesMax <= hostReplyFrameBytesMax,
  "a refusal with the largest items is larger than a frame",
);
assert(hostReplyBytesMax > hostReplyFrameBytesMax, "one reply alone would close its connection");

export interface MetadataHostOptions {
  /** The items are in `metadata` below it; locked as long as the host is open. */
  readonly directory: string;
  readonly socketPath: string;
  /** The host closed a connection for what its client did. */
  readonly onDropped?: (reason: string) => void;
  readonly limits?: Partial<MetadataHostLimits>;
}

/**
 * The metadata store of several broker processes on one machine: LMDB in this one process, for
 * clients on a Unix socket (HostedMetadataStore). It is apart from the brokers because LMDB's lock
 * would be held by a broker that is paused in the middle of a write, and with it all others.
 *
 * Promised: a reply to a transaction leaves when the transaction is durable; reads see every
 * transaction that was answered before; no client's pause, death or nonsense keeps others waiting.
 * A host that is killed loses nothing that it answered; the next one opens the same directory.
 * Who may open the socket may do anything: it has its owner's permission alone (0600).
 */
export class MetadataHost {
  readonly #items: LmdbItems;
  readonly #outcomes: WriteOutcomes;
  readonly #lock: DirectoryLock & { readonly kind: "locked" };
  readonly #limits: MetadataHostLimits;
  readonly #onDropped: (reason: string) => void;
  readonly #server: Server;
  readonly #connections = new Set<HostConnection>();
  readonly #byClient = new Map<string, HostConnection>();
  /** Transactions that are not committed yet, by write id. */
  readonly #underWay = new Map<string, Promise<Answer>>();

  private constructor(
    items: LmdbItems,
    lock: DirectoryLock & { readonly kind: "locked" },
    options: MetadataHostOptions,
  ) {
    this.#items = items;
    this.#lock = lock;
    this.#limits = { ...metadataHostLimits, ...options.limits };
    this.#onDropped = options.onDropped ?? (() => undefined);
    this.#outcomes = new WriteOutcomes(items, this.#limits.outcomesMax);
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Resolves when clients can connect. Throws MetadataError. */
  static async open(options: MetadataHostOptions): Promise<MetadataHost> {
    const { directory, socketPath } = options;
    assertSocketPath(socketPath);
    const lock = await lockDirectory(directory);
    if (lock.kind === "held") throw unusable(`${directory} is in use by another process`);
    try {
      await removeStale(socketPath);
      const items = LmdbItems.open(join(directory, "metadata"));
      try {
        const host = new MetadataHost(items, lock, options);
        await listenAt(host.#server, socketPath);
        return host;
      } catch (error) {
        await items.close();
        throw error;
      }
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Answers what is under way, closes the connections, and gives the directory back. */
  async close(): Promise<void> {
    const isClosed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const closing = [...this.#connections].map((connection) => connection.close());
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, hostCloseMsMax);
    await Promise.all([isClosed, ...closing]);
    clearTimeout(timer);
    await Promise.all(this.#underWay.values());
    await this.#items.close();
    await this.#lock.release();
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= this.#limits.connectionsMax) {
      socket.on("error", () => undefined).destroy();
      this.#onDropped(`there are ${this.#connections.size} clients already`);
      return;
    }
    let ownClient: string | undefined;
    const connection = new HostConnection({
      socket,
      limits: this.#limits,
      greeted: (client) => {
        // What the former connection had not been read must not be done after what comes now.
        this.#byClient.get(client)?.destroy();
        this.#byClient.set(client, connection);
        ownClient = client;
      },
      answer: (request) => this.#answer(request),
      at: () => this.#outcomes.at,
      onDropped: this.#onDropped,
    });
    this.#connections.add(connection);
    socket.once("close", () => {
      this.#connections.delete(connection);
      if (ownClient === undefined || this.#byClient.get(ownClient) !== connection) return;
      this.#byClient.delete(ownClient);
    });
  }

  #answer(request: Request): Answer | Promise<Answer> {
    if (request.op === "transact") return this.#transact(request);
    try {
      if (request.op === "get") {
        const item = this.#items.get(request.key);
        return { kind: "page", items: item === undefined ? [] : [item] };
      }
      const limit = Math.min(request.limit, this.#limits.pageItemsMax);
      return { kind: "page", ...this.#items.range({ ...request, limit }) };
    } catch (error) {
      return failure(error);
    }
  }

  #transact(request: Transact): Answer | Promise<Answer> {
    const { writeId, again, since, writes } = request;
    // The connection that brought it first is gone, but not what it began.
    const underWay = this.#underWay.get(writeId);
    if (underWay !== undefined) return underWay;
    if (this.#outcomes.has(writeId)) return { kind: "done" };
    const changes = writes.some((write) => write.kind !== "check");
    if (changes && again && this.#outcomes.mayHaveForgotten(since)) return { kind: "forgotten" };
    let number = 0;
    const applied = this.#items.transact(writes, (notes) => {
      if (changes) number = this.#outcomes.note(writeId, notes);
    });
    const answer = applied
      .then((outcome) => {
        if (number > 0) this.#outcomes.committed(writeId, number);
        return answered(outcome);
      })
      .catch((error: unknown) => {
        if (number > 0) this.#outcomes.failed(writeId, number);
        return failure(error);
      })
      .finally(() => this.#underWay.delete(writeId));
    this.#underWay.set(writeId, answer);
    return answer;
  }
}

function answered(outcome: TransactBytes): Answer {
  return outcome.ok ? { kind: "done" } : { kind: "refused", refused: outcome.refused };
}

function failure(error: unknown): Answer {
  if (error instanceof MetadataError) {
    const { message, retriable, applied, cause } = error;
    const because = cause instanceof Error ? `: ${cause.message}` : "";
    return { kind: "failed", message: `${message}${because}`, retriable, applied };
  }
  if (error instanceof AssertionError) return { kind: "bug", message: error.message };
  throw error;
}

/** A dead host leaves its socket's file behind. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw unusable(`${path} is there and is no socket`);
  if (await isAnswered(path)) throw unusable(`${path} is the socket of a live process`);
  unlinkSync(path);
}

/** The kernel answers for a process that is paused, too. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // Any other error leaves open whether somebody is there.
    socket.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT");
    });
  });
}

function listenAt(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => reject(unusable(`nobody can listen at ${path}`, cause));
    server.once("error", fail);
    // Bound and listening within the call: nobody else's permission is there at any time.
    const mask = process.umask(0o177);
    try {
      server.listen({ path }, () => {
        server.removeListener("error", fail);
        chmodSync(path, 0o600);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}
