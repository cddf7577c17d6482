import { createServer, type Server } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { platformaticTransport } from "./open-transport.ts";

let silent: Server;
let port: number;

beforeEach(async () => {
  silent = createServer((socket) => socket.on("error", () => undefined));
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const address = silent.address();
  port = typeof address === "object" ? (address?.port ?? 0) : 0;
});

afterEach(() => {
  silent.close();
});

async function ask(settings: {
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
}) {
  const sasl = { mechanism: "PLAIN", username: "a", password: "b" } as const;
  const open = platformaticTransport({
    ...{ clientId: "test", bootstrap: [{ host: "127.0.0.1", port }], tls: undefined, ...settings },
    sasl: settings.connectTimeoutMs < settings.requestTimeoutMs ? sasl : undefined,
  });
  const transport = open();
  try {
    return await transport.metadata("all", { autoCreate: false });
  } finally {
    await transport.close();
  }
}

test("a broker that does not answer in time is given up", async () => {
  await expect(ask({ requestTimeoutMs: 100, connectTimeoutMs: 1_000 })).rejects.toMatchObject({
    ...{ name: "ConnectionError", code: "REQUEST_TIMED_OUT", retriable: true },
  });
});

test("a broker that does not take the login in time is given up", async () => {
  await expect(ask({ requestTimeoutMs: 1_000, connectTimeoutMs: 100 })).rejects.toMatchObject({
    ...{ name: "ConnectionError", retriable: true },
  });
});

test("what is no Kafka broker is given up", async () => {
  silent.on("connection", (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await expect(ask({ requestTimeoutMs: 1_000, connectTimeoutMs: 1_000 })).rejects.toMatchObject({
    ...{ name: "ConnectionError", retriable: true },
  });
});
