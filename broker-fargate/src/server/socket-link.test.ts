import { connect, createServer, type AddressInfo } from "node:net";
import { setImmediate } from "node:timers";
import { expect, it } from "vitest";
import { turnReadBytesMax } from "../limits.ts";
import { adoptSocket } from "./socket-link.ts";

it("reads a peer that sends without end in shares, with a turn for others in between", async () => {
  const sentBytes = 24 * turnReadBytesMax;
  const shares: number[] = [];
  await new Promise<void>((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      const link = adoptSocket(socket);
      let share = 0;
      let isPaused = false;
      link.start({
        receive: (chunk) => {
          if (share === 0) {
            setImmediate(() => {
              shares.push(share);
              share = 0;
            });
          }
          share += chunk.length;
          // The kernel fills its buffers meanwhile.
          if (shares.length > 0 || isPaused) return;
          isPaused = true;
          link.pause();
          setTimeout(() => link.resume(), 100);
        },
        inputEnded: () => {
          link.close("now");
          server.close();
          setImmediate(resolve);
        },
        drained: () => undefined,
        closed: () => undefined,
      });
    });
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      const client = connect(port, "127.0.0.1");
      client.on("error", reject);
      client.end(new Uint8Array(sentBytes));
    });
  });
  expect(shares.reduce((sum, share) => sum + share, 0)).toBe(sentBytes);
  expect(Math.max(...shares)).toBeLessThanOrEqual(turnReadBytesMax);
});
