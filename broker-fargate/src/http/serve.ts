/** Serves the HTTP app on a port. The app itself is loaded by its first request. */
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { httpConnectionsMax, httpHeadersMsMax } from "../limits.ts";
import type { HttpAppOptions, httpListener } from "./app.ts";

export interface HttpListener {
  readonly port: number;
  /**
   * Accepts nothing more and cuts what is open: peers that are slow to ask or to read, and requests
   * for the control plane, which asks the broker itself; what those make, a repeat finds.
   */
  close(): Promise<void>;
}

/** How often slow heads are looked for: Node's own half a minute would be added to their limit. */
const httpLookMs = 1_000;

/** Rejects when the address can't be taken, as the operating system says it. */
export async function serveHttp(
  where: { readonly host: string | undefined; readonly port: number },
  app: HttpAppOptions,
): Promise<HttpListener> {
  const answer = answersOf(app);
  const timeouts = { headersTimeout: httpHeadersMsMax, connectionsCheckingInterval: httpLookMs };
  const server = createServer(timeouts, (incoming, outgoing) => {
    answer(incoming, outgoing).catch((error: unknown) => {
      app.failed(error instanceof Error ? error : new Error("HTTP failed", { cause: error }));
      outgoing.destroy();
    });
  });
  server.maxConnections = httpConnectionsMax;
  await bind(server, where);
  // A failure to accept one connection: without a listener it would end the process.
  server.on("error", app.failed);
  const { port } = server.address() as AddressInfo;
  return { port, close: () => close(server) };
}

/**
 * Loads the app for its first request. Its adapter asks Node for the classes Request and Response,
 * which brings all of fetch into the process: 7 MB and 25 ms that a broker which nobody asks over
 * HTTP never needs.
 */
function answersOf(options: HttpAppOptions): (...of: Parameters<RequestListener>) => Promise<void> {
  let loaded: Promise<ReturnType<typeof httpListener>> | undefined;
  return async (incoming, outgoing) => {
    loaded ??= import("./app.ts").then((module) => module.httpListener(options));
    const listener = await loaded;
    await listener(incoming, outgoing);
  };
}

function bind(
  server: Server,
  { host, port }: { readonly host: string | undefined; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(host === undefined ? { port } : { host, port }, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
