import { createServer, type Server as NetServer, type Socket } from "node:net";
import type { AdvertisedListener } from "../handlers/handler.ts";
import { listenBacklogConnectionsMax, shutdownGraceMsMax } from "../limits.ts";
import type { Server } from "./server.ts";
import type { ListenerAccess } from "./sasl/listener-access.ts";
import { adoptSocket, type SocketLink } from "./socket-link.ts";
import { type Client, TlsHandshakes } from "./tls-handshakes.ts";

/** Where to listen, and what clients are told of it. */
export interface ListenerOptions {
  /** An address or a name; `undefined` for all interfaces. */
  readonly host: string | undefined;
  /** 0 takes a free one. */
  readonly port: number;
  readonly server: Server;
  /** The address that Metadata gives, once the port is known. */
  readonly advertise: (bound: { readonly port: number }) => AdvertisedListener;
  /** By default everybody is let in as they come. */
  readonly access?: ListenerAccess;
  /** How to read a socket that is not encrypted; the fast way when not given. */
  readonly link?: (socket: Socket) => SocketLink;
}

export interface Listener {
  readonly port: number;
  readonly advertised: AdvertisedListener;
  /** Accepts nothing more. Open connections live on; `Server.close` ends them. */
  stopAccepting(): void;
  /** Accepts nothing more and closes all connections of the server, after a grace. */
  close(graceMs?: number): Promise<void>;
}

/**
 * Listens for Kafka clients. Above `max.connections` or `max.connections.per.ip` a connection is
 * closed at once, with a line in the log, and counted. Rejects when the address can't be taken
 * (EADDRINUSE and the like come as the operating system gives them).
 */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const { server } = options;
  const { openSasl, tls } = options.access ?? {};
  // Node's own TLS costs a start time and memory: only who uses it loads it.
  const encrypted =
    tls === undefined
      ? undefined
      : { createServer: (await import("node:tls")).createServer, options: tls };
  const netServer = createServer({
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    pauseOnConnect: tls === undefined,
  });
  const port = await bind(netServer, options);
  const advertised = options.advertise({ port });
  const link = options.link ?? adoptSocket;
  const serve = (client: Client): void => {
    server.metrics.connectionsAccepted.add();
    const { address, closed, principal } = client;
    const peer = {
      ...{ link: client.link, clientHost: address, listener: advertised },
      ...(closed === undefined ? {} : { closed }),
      ...(principal === undefined ? {} : { principal }),
      ...(openSasl === undefined ? {} : { sasl: openSasl() }),
    };
    client.link.start(server.connect(peer));
  };
  const handshakes =
    encrypted === undefined ? undefined : new TlsHandshakes(server, encrypted, serve);
  netServer.on("connection", (socket) => {
    // The peer may be gone already; then there is nothing to serve.
    const address = plainAddress(socket.remoteAddress);
    if (address === undefined) {
      socket.destroy();
      return;
    }
    const admission = server.count.admit(address, server.settings);
    if (admission !== "admitted") {
      refuse(server, socket, { address, limit: admission });
      return;
    }
    const closed = (): void => server.count.release(address);
    if (handshakes === undefined) serve({ address, link: link(socket), closed });
    else handshakes.begin(socket, { address, closed });
  });
  netServer.on("error", (error) => {
    // After `bind`, this is a failure to accept one connection, as when file descriptors run out.
    server.log.error({ err: error }, "accepting a connection failed");
  });
  const stopAccepting = (): void => {
    netServer.close();
    handshakes?.cutAll();
  };
  return {
    port,
    advertised,
    stopAccepting,
    close: async (graceMs = shutdownGraceMsMax) => {
      stopAccepting();
      await server.close(graceMs);
    },
  };
}

function bind(netServer: NetServer, options: ListenerOptions): Promise<number> {
  const { host, port } = options;
  return new Promise((resolve, reject) => {
    netServer.once("error", reject);
    const address = host === undefined ? { port } : { host, port };
    netServer.listen({ ...address, backlog: listenBacklogConnectionsMax }, () => {
      netServer.removeListener("error", reject);
      const bound = netServer.address();
      if (bound === null || typeof bound === "string") reject(new Error("not bound to a port"));
      else resolve(bound.port);
    });
  });
}

function refuse(
  server: Server,
  socket: Socket,
  refusal: { readonly address: string; readonly limit: string },
): void {
  server.metrics.connectionsRefused.add();
  server.log.warn(
    { client: refusal.address, limit: refusal.limit },
    "refused a connection: too many are open",
  );
  socket.on("error", () => {
    // It is being destroyed: how its peer took it changes nothing.
  });
  socket.destroy();
}

/** IPv4 addresses as such, also where the socket listens on IPv6. */
function plainAddress(address: string | undefined): string | undefined {
  return address?.startsWith("::ffff:") ? address.slice(7) : address;
}
