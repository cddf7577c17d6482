import type { Socket } from "node:net";
import type { createServer, TLSSocket, TlsOptions } from "node:tls";
import type { Server } from "./server.ts";
import { eventSocketLink, type SocketLink } from "./socket-link.ts";
import { certified } from "./tls.ts";

/** Who is to be served. */
export interface Client {
  readonly address: string;
  readonly link: SocketLink;
  readonly principal?: string;
  readonly closed?: () => void;
}

/** Node's own TLS, which is loaded only where a listener encrypts. */
export interface EncryptedServers {
  readonly createServer: typeof createServer;
  readonly options: TlsOptions;
}

/**
 * The TLS handshakes of one listener: each has its time, and ends as a client to serve or as a
 * failure that is counted and logged. A connection counts against the limits from its first byte.
 */
export class TlsHandshakes {
  readonly #server: Server;
  readonly #serve: (client: Client) => void;
  readonly #secure: ReturnType<typeof createServer>;
  readonly #underWay = new Map<string, { readonly socket: Socket; readonly address: string }>();

  constructor(server: Server, encrypted: EncryptedServers, serve: (client: Client) => void) {
    this.#server = server;
    this.#serve = serve;
    this.#secure = encrypted.createServer(encrypted.options);
    this.#secure.on("secureConnection", (socket) => this.#done(socket));
    this.#secure.on("tlsClientError", (error, socket) => this.#failed(socket, error));
  }

  begin(
    socket: Socket,
    { address, closed }: { readonly address: string; readonly closed: () => void },
  ): void {
    const end = endOf(socket);
    this.#underWay.set(end, { socket, address });
    socket.once("close", () => {
      this.#underWay.delete(end);
      closed();
    });
    // Node's own way to hand an accepted socket over.
    this.#secure.emit("connection", socket);
  }

  /** Cuts those that are not done. */
  cutAll(): void {
    for (const { socket } of [...this.#underWay.values()]) socket.destroy();
  }

  #done(socket: TLSSocket): void {
    const address = this.#forget(socket);
    const shown = certified(socket);
    if (address === undefined) {
      socket.destroy();
    } else if (shown.kind === "untrusted") {
      this.#failed(socket, socket.authorizationError);
    } else {
      const link = eventSocketLink(socket);
      const who = shown.kind === "principal" ? { principal: shown.principal } : {};
      this.#serve({ address, link, ...who });
    }
  }

  #failed(socket: TLSSocket, error: unknown): void {
    this.#server.metrics.tlsHandshakesFailed.add();
    const client = socket.remoteAddress;
    this.#server.log.info({ client, err: error }, "a TLS handshake failed");
    socket.destroy();
  }

  /** The address of a handshake that is over. */
  #forget(secure: TLSSocket): string | undefined {
    const address = this.#underWay.get(endOf(secure))?.address;
    this.#underWay.delete(endOf(secure));
    return address;
  }
}

/** What a socket and the encrypted one over it have in common. */
function endOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}#${remotePort}`;
}
