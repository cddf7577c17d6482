/** What lies between clients and a broker and cuts their connections, by a seed. */
import { connect, createServer, type Socket } from "node:net";

export interface CuttingProxy {
  readonly port: number;
  /** How many connections it has cut. */
  readonly cuts: () => number;
  /** From now on none. */
  readonly rest: () => void;
  readonly close: () => void;
}

/** Bytes of a client after which its connection is cut, at most. */
const bytesUntilCutMax = 1_000_000;

/** Each connection is cut after some bytes; the last of them get through, or do not. */
export async function startCutting(toPort: number, seed: number): Promise<CuttingProxy> {
  const lot = lotsFrom(seed);
  const open = new Set<Socket>();
  let cuts = 0;
  let isResting = false;
  const server = createServer((client) => {
    const broker = connect(toPort, "127.0.0.1");
    const end = (): void => {
      for (const socket of [client, broker]) {
        socket.destroy();
        open.delete(socket);
      }
    };
    for (const socket of [client, broker]) {
      open.add(socket);
      socket.on("error", end);
      socket.on("close", end);
    }
    let bytesLeft = 20_000 + lot() ** 3 * bytesUntilCutMax;
    client.on("data", (chunk) => {
      if (bytesLeft < 0) return;
      bytesLeft -= isResting ? 0 : chunk.length;
      const isCut = bytesLeft < 0;
      if (!isCut || lot() < 0.5) broker.write(chunk);
      if (!isCut) return;
      cuts += 1;
      setTimeout(end, 3 * lot());
    });
    broker.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    cuts: () => cuts,
    rest: () => {
      isResting = true;
    },
    close: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** Park and Miller's generator: from 0 to 1. */
function lotsFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 0x7fffffff;
    return state / 0x7fffffff;
  };
}
