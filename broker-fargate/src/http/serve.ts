/**
 * Serves the HTTP app on a port. To be imported when the Kafka listener is up (`await import`): it
 * brings hono and its server with it, which a start does not have to wait for.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { httpConnectionsMax, httpHeadersMsMax } from "../limits.ts";
import { httpApp, type HttpAppOptions } from "./app.ts";

export interface HttpListener {
  readonly port: number;
  /**
   * Accepts nothing more and cuts what is open: every answer is made at once, so only peers that
   * are slow to ask or to read are cut.
   */
  close(): Promise<void>;
}

/** Rejects when the address can't be taken, as the operating system says it. */
export async function serveHttp(
  where: { readonly host: string | undefined; readonly port: number },
  app: HttpAppOptions,
): Promise<HttpListener> {
  // Global Request and Response stay Node's own: other code of the process may rely on them.
  const listener = getRequestListener(httpApp(app).fetch, { overrideGlobalObjects: false });
  const server = createServer({ headersTimeout: httpHeadersMsMax }, (incoming, outgoing) => {
    listener(incoming, outgoing).catch((error: unknown) => {
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
