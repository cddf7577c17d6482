/** A proxy that makes mistakes between a broker and its clients, as a broken broker would. */
import { connect, createServer, type Server, type Socket } from "node:net";

export interface ProxyFaults {
  /** What is passed on of the nth reply, from 1, with its length; undefined: none of it. */
  readonly reply?: (frame: Buffer, nth: number) => Buffer | undefined;
  /** The client is not told that the broker closed the connection. */
  readonly hidesEnds?: true;
}

export interface FaultProxy {
  readonly port: number;
  close(): void;
}

export async function openFaultProxy(brokerPort: number, faults: ProxyFaults): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  const count = { replies: 0 };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: brokerPort, host: "127.0.0.1", allowHalfOpen: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    }
    client.on("data", (chunk) => upstream.write(chunk));
    client.on("end", () => upstream.end());
    client.on("error", () => upstream.destroy());
    client.on("close", () => upstream.destroy());
    passReplies(upstream, client, (frame) => {
      count.replies += 1;
      return faults.reply === undefined ? frame : faults.reply(frame, count.replies);
    });
    upstream.on("error", () => client.destroy());
    upstream.on("end", () => {
      if (faults.hidesEnds === undefined) client.end();
    });
  });
  const port = await listening(server);
  return {
    port,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function passReplies(
  upstream: Socket,
  client: Socket,
  changed: (frame: Buffer) => Buffer | undefined,
): void {
  let rest: Buffer = Buffer.alloc(0);
  upstream.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE()) {
      const end = 4 + rest.readInt32BE();
      const passed = changed(Buffer.from(rest.subarray(0, end)));
      rest = rest.subarray(end);
      if (passed !== undefined) client.write(passed);
    }
  });
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("no port"));
      else resolve(address.port);
    });
  });
}
