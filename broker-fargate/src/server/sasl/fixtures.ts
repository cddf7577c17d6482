/** What the tests of this folder share: a broker's listener with SASL, and a client that logs in. */
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { inlineHashing, MemoryMetadataStore, SeededRandom } from "@millrace/adapter-memory";
import {
  changedUser,
  type Hashing,
  incarnationId,
  keys,
  type MetadataStore,
  parseSettings,
  type SaslMechanism,
  type ScramMechanism,
  scramTraits,
  stretched,
} from "@millrace/core";
import { ApiKey } from "@millrace/wire";
import { OwnWrites } from "../../cluster/own-writes.ts";
import { Users } from "../../cluster/users.ts";
import { saslHandshakeHandler } from "../../handlers/17-sasl-handshake.ts";
import { saslAuthenticateHandler } from "../../handlers/36-sasl-authenticate.ts";
import { defineRoute, type Route } from "../dispatcher.ts";
import {
  type Bench,
  bench,
  decodeReply,
  frames,
  type HandLink,
  request,
  route,
  settled,
} from "../fixtures.ts";
import { listenerAccess } from "./listener-access.ts";
import type { SaslSession } from "./sasl-session.ts";

export const listenerName = "SASL_PLAINTEXT";

export interface SaslBench extends Bench {
  readonly users: Users;
  readonly sessions: SaslSession[];
  /** Connects to the listener; the client has not authenticated. */
  enter(): SaslClient;
}

/** Answers ApiVersions and Metadata beside SASL; the principal is in Metadata's cluster id. */
const others: readonly Route[] = [
  route(ApiKey.ApiVersions, (_, { connection }) => {
    connection.sasl?.versionsAnswered();
    return { errorCode: 0, apiKeys: [] };
  }),
  route(ApiKey.Metadata, (_, { connection }) => ({
    brokers: [],
    controllerId: 1,
    clusterId: connection.principal,
    topics: [],
  })),
];

export function saslBench(
  options: {
    readonly configs?: Readonly<Record<string, string>>;
    readonly hashing?: Hashing;
    readonly store?: MetadataStore;
    readonly lookNow?: () => Promise<void>;
  } = {},
): SaslBench {
  const made = bench([
    ...others,
    defineRoute(ApiKey.SaslHandshake, saslHandshakeHandler()),
    defineRoute(ApiKey.SaslAuthenticate, saslAuthenticateHandler()),
  ]);
  const { clock, metrics, server } = made;
  const random = new SeededRandom(7);
  const configs = { listeners: `${listenerName}://:1`, ...options.configs };
  const { invalid, settings } = parseSettings(new Map(Object.entries(configs)));
  if (invalid.length > 0) throw new Error(invalid.join("\n"));
  const store = options.store ?? new MemoryMetadataStore();
  const lookNow = options.lookNow ?? ((): Promise<void> => Promise.resolve());
  const incarnation = incarnationId(`1-${"a".repeat(32)}`);
  // Takes effect within the call.
  void store.transact([
    { kind: "put", key: keys.incarnation(incarnation), value: { state: "open" } },
  ]);
  const own = new OwnWrites({ store, clock, random }, incarnation, () => 0);
  const users = new Users({ store, clock, random, lookNow, own }, []);
  const hashing = options.hashing ?? inlineHashing;
  const broker = { clock, hashing, metrics, random, settings, cluster: { users } };
  const openSasl = listenerAccess(broker, new Map()).get(listenerName)?.openSasl;
  if (openSasl === undefined) throw new Error("the listener has no SASL");
  const sessions: SaslSession[] = [];
  const enter = (): SaslClient => {
    const link = made.link();
    const sasl = openSasl();
    sessions.push(sasl);
    const listener = { name: listenerName, host: "localhost", port: 1 };
    link.listener = server.connect({ link, clientHost: "10.0.0.1", listener, sasl });
    return new SaslClient(link, made);
  };
  return { ...made, users, sessions, enter };
}

export async function makeUser(
  users: Users,
  name: string,
  password: string,
  mechanisms: readonly ScramMechanism[] = ["SCRAM-SHA-256", "SCRAM-SHA-512"],
): Promise<void> {
  const salt = Uint8Array.of(1, 2, 3);
  const secret = { password, salt, iterations: 4096 };
  for (const mechanism of mechanisms) {
    const saltedPassword = await stretched(inlineHashing, mechanism, secret);
    const change = { kind: "set", mechanism, saltedPassword, salt, iterations: 4096 } as const;
    const outcome = await users.change(name, (before, stamp) =>
      changedUser(inlineHashing, before, change, stamp),
    );
    if (outcome.kind !== "done") throw new Error(outcome.kind);
  }
}

export async function deleteCredential(
  users: Users,
  name: string,
  mechanism: ScramMechanism,
): Promise<void> {
  const outcome = await users.change(name, (before, stamp) =>
    changedUser(inlineHashing, before, { kind: "delete", mechanism }, stamp),
  );
  if (outcome.kind !== "done") throw new Error(outcome.kind);
}

export interface Answered {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly authBytes: Uint8Array;
  readonly sessionLifetimeMs: number;
}

/** A client's end of a link, which speaks SASL by bytes of its own making. */
export class SaslClient {
  readonly link: HandLink;
  readonly #bench: Bench;
  #seen = 0;

  constructor(link: HandLink, of: Bench) {
    this.link = link;
    this.#bench = of;
  }

  get isClosed(): boolean {
    return this.link.closedBy !== undefined;
  }

  /** What answers the bytes; a delay of the broker's is waited out. `undefined`: nothing does. */
  async ask(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    this.link.listener?.receive(bytes);
    for (let turn = 0; turn < 20; turn += 1) {
      await settled();
      const reply = frames(this.link.received)[this.#seen];
      if (reply !== undefined) {
        this.#seen += 1;
        return reply;
      }
      if (this.isClosed) return undefined;
      if (turn > 10) this.#bench.clock.advance(20);
    }
    return undefined;
  }

  async handshake(
    mechanism: string,
    version = 1,
  ): Promise<{ readonly errorCode: number; readonly mechanisms: readonly string[] } | undefined> {
    const reply = await this.ask(request(ApiKey.SaslHandshake, { mechanism }, { version }));
    return reply === undefined ? undefined : decodeReply(ApiKey.SaslHandshake, version, reply);
  }

  async authenticate(token: Uint8Array | string, version = 2): Promise<Answered | undefined> {
    const authBytes = typeof token === "string" ? Buffer.from(token) : token;
    const reply = await this.ask(request(ApiKey.SaslAuthenticate, { authBytes }, { version }));
    if (reply === undefined) return undefined;
    return decodeReply(ApiKey.SaslAuthenticate, version, reply);
  }

  /** As whom the broker takes the client; undefined: it does not answer. */
  async principal(): Promise<string | null | undefined> {
    const reply = await this.ask(request(ApiKey.Metadata, { topics: [] }, { version: 9 }));
    return reply === undefined ? undefined : decodeReply(ApiKey.Metadata, 9, reply).clusterId;
  }

  async plain(user: string, password: string): Promise<Answered | undefined> {
    await this.handshake("PLAIN");
    return this.authenticate(`\0${user}\0${password}`);
  }

  /** A whole exchange, computed by Node's own functions. */
  async scram(
    mechanism: SaslMechanism,
    user: string,
    password: string,
  ): Promise<Answered | undefined> {
    if (mechanism === "PLAIN") return this.plain(user, password);
    await this.handshake(mechanism);
    const bare = `n=${user},r=clientNonce`;
    const first = await this.authenticate(`n,,${bare}`);
    if (first?.errorCode !== 0) return first;
    return this.authenticate(scramFinal({ mechanism, bare, first: first.authBytes, password }));
  }
}

export function scramFinal(said: {
  readonly mechanism: ScramMechanism;
  readonly bare: string;
  readonly first: Uint8Array;
  readonly password: string;
}): string {
  const { bare, mechanism, password } = said;
  const hash = scramTraits[mechanism].hash.toLowerCase().replace("-", "");
  const first = Buffer.from(said.first).toString();
  const [, nonce = "", salt = "", iterations = ""] = /^r=(.*),s=(.*),i=(.*)$/u.exec(first) ?? [];
  const { hashBytes } = scramTraits[mechanism];
  const saltBytes = Buffer.from(salt, "base64");
  const salted = pbkdf2Sync(password, saltBytes, Number(iterations), hashBytes, hash);
  const clientKey = createHmac(hash, salted).update("Client Key").digest();
  const storedKey = createHash(hash).update(clientKey).digest();
  const withoutProof = `c=biws,r=${nonce}`;
  const signature = createHmac(hash, storedKey).update(`${bare},${first},${withoutProof}`).digest();
  const proof = clientKey.map((byte, i) => byte ^ (signature[i] ?? 0));
  return `${withoutProof},p=${Buffer.from(proof).toString("base64")}`;
}
