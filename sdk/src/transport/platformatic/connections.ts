/**
 * Connections to the brokers of one cluster, one to each, and single requests over them. Connects
 * when something is asked; what is asked while it connects waits for it.
 */
import {
  type API,
  apiVersionsV3,
  type Broker,
  type Connection,
  ConnectionPool,
  type ConnectionPoolEventPayload,
  type SASLOptions,
} from "@platformatic/kafka";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import { closedError, ConnectionError, MillraceError } from "../../errors.ts";
import type { BrokerAddress } from "../described.ts";
import { brokerError, toMillraceError } from "./failures.ts";

export interface ConnectionSettings {
  readonly clientId: string;
  readonly bootstrap: readonly Broker[];
  readonly tls: TlsOptions | undefined;
  readonly sasl: SASLOptions | undefined;
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

type Versions = ReadonlyMap<number, { readonly min: number; readonly max: number }>;

const clientSoftware = "millrace-sdk";
const clientSoftwareVersion = "0.1.0";

export class Connections {
  readonly #bootstrap: readonly Broker[];
  readonly #pool: ConnectionPool;
  readonly #versions = new WeakMap<Connection, Promise<Versions>>();
  #brokers: ReadonlyMap<number, BrokerAddress> = new Map();
  #closed = false;

  constructor(settings: ConnectionSettings) {
    this.#bootstrap = settings.bootstrap;
    this.#pool = new ConnectionPool(settings.clientId, {
      connectTimeout: settings.connectTimeoutMs,
      requestTimeout: settings.requestTimeoutMs,
      ...(settings.tls === undefined ? {} : { tls: settings.tls }),
      ...(settings.sasl === undefined ? {} : { sasl: settings.sasl }),
    });
    // 2.12.1: the pool hears one error of a connection; a second one would end the process.
    this.#pool.on("connecting", ({ connection }: ConnectionPoolEventPayload) => {
      connection.on("error", () => undefined);
      // 2.12.1: one that the broker has closed keeps its timer for the next authentication, and so
      // the process. To close it once more takes the timer away.
      connection.once("close", () => connection.close(() => undefined));
    });
  }

  /** Remembers where the brokers are. */
  learn(brokers: readonly BrokerAddress[]): void {
    this.#brokers = new Map(brokers.map((broker) => [broker.nodeId, broker]));
  }

  /** Rejects with a retriable error where no metadata named this node. */
  toNode(node: number): Promise<Connection> {
    const broker = this.#brokers.get(node);
    if (broker === undefined) {
      return Promise.reject(new ConnectionError(`broker ${node} is not known`));
    }
    return this.#to(broker);
  }

  /** A broker that is connected already, or else the first that can be reached. */
  async toAny(): Promise<Connection> {
    const isConnected = (broker: Broker): boolean =>
      this.#pool.getEstablishedConnection(broker)?.isConnected() === true;
    const known = [...this.#bootstrap, ...this.#brokers.values()];
    const byAddress = new Map(known.map((broker) => [`${broker.host}:${broker.port}`, broker]));
    const candidates = [...byAddress.values()];
    const failures: MillraceError[] = [];
    for (const broker of [...candidates.filter(isConnected), ...candidates]) {
      try {
        return await this.#to(broker);
      } catch (error) {
        const failure = toMillraceError(error);
        if (!failure.retriable) throw failure;
        failures.push(failure);
      }
    }
    const tried = this.#bootstrap.map(({ host, port }) => `${host}:${port}`).join(", ");
    const cause = failures.length === 1 ? failures[0] : new AggregateError(failures);
    throw new ConnectionError(`no broker can be reached (${tried})`, cause);
  }

  /**
   * Sends one request and waits for its response, which is also returned where it names errors:
   * who asks reads them.
   */
  async call<A extends unknown[], R>(
    connection: Connection,
    api: API<A, R>,
    ...args: A
  ): Promise<R> {
    await this.#checkVersion(connection, api);
    return asResponse(api.async(connection, ...args));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#pool.close();
  }

  async #to({ host, port }: Broker): Promise<Connection> {
    if (this.#closed) throw closedError("the client");
    try {
      return await this.#pool.get({ host, port });
    } catch (error) {
      if (this.#closed) throw closedError("the client");
      throw toMillraceError(error);
    }
  }

  async #checkVersion(
    connection: Connection,
    api: { readonly key: number; readonly version: number },
  ): Promise<void> {
    let versions = this.#versions.get(connection);
    if (versions === undefined) {
      versions = readVersions(connection);
      this.#versions.set(connection, versions);
      versions.catch(() => this.#versions.delete(connection));
    }
    const served = (await versions).get(api.key);
    if (served !== undefined && served.min <= api.version && api.version <= served.max) return;
    throw new MillraceError({
      code: "UNSUPPORTED_VERSION",
      message: `the broker does not serve version ${api.version} of API ${api.key}`,
      retriable: false,
    });
  }
}

async function readVersions(connection: Connection): Promise<Versions> {
  const asked = apiVersionsV3.api.async(connection, clientSoftware, clientSoftwareVersion);
  const { errorCode, apiKeys } = await asResponse(asked);
  const error = brokerError(errorCode);
  if (error !== undefined) throw error;
  return new Map(
    apiKeys.map(({ apiKey, minVersion, maxVersion }) => [
      apiKey,
      { min: minVersion, max: maxVersion },
    ]),
  );
}

/** Its parsers throw where a response names an error, but hand the response along. */
async function asResponse<R>(asked: Promise<R>): Promise<R> {
  try {
    return await asked;
  } catch (error) {
    const { response } = error as { readonly response?: R };
    if (response !== undefined) return response;
    throw toMillraceError(error);
  }
}
