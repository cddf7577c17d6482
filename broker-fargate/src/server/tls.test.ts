import { connect as connectPlain } from "node:net";
import { connect, type ConnectionOptions, createSecureContext, type TLSSocket } from "node:tls";
import { parseSettings } from "@millrace/core";
import { ApiKey } from "@millrace/wire";
import { afterEach, describe, expect, it } from "vitest";
import { type TestCertificate, testCertificate } from "../../../test/fixtures/test-certificate.ts";
import { BufferPool } from "../buffer-pool.ts";
import { Metrics } from "../metrics/registry.ts";
import { Dispatcher } from "./dispatcher.ts";
import {
  decodeReply,
  frames,
  HandClock,
  LineLog,
  metricValue,
  request,
  roomySettings,
  route,
} from "./fixtures.ts";
import { type Listener, listen } from "./listener.ts";
import { tlsHandshakeMsMax } from "./sasl/limits.ts";
import { Server, type ServerSettings } from "./server.ts";
import { readTls } from "./tls.ts";

const authority = testCertificate("authority");
const broker = testCertificate("localhost", { issuer: authority });
const alice = testCertificate("alice", { issuer: authority });
const stranger = testCertificate("stranger");

/** Says who asked in the cluster id. */
const metadata = route(ApiKey.Metadata, (_, { connection }) => ({
  brokers: [],
  controllerId: 1,
  clusterId: connection.principal,
  topics: [],
}));
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function tlsOf(configs: Readonly<Record<string, string>>, files: ReadonlyMap<string, string>) {
  const entries = { listeners: "SSL://:0", ...configs };
  const { invalid, settings } = parseSettings(new Map(Object.entries(entries)));
  if (invalid.length > 0) throw new Error(invalid.join("\n"));
  const readFile = (path: string): Uint8Array => {
    const text = files.get(path);
    if (text === undefined) throw new Error(`ENOENT ${path}`);
    return Buffer.from(text);
  };
  return readTls(settings.security, { readFile, createSecureContext });
}

const inline = {
  "ssl.keystore.key": broker.key,
  "ssl.keystore.certificate.chain": broker.certificate,
  "ssl.truststore.certificates": authority.certificate,
};

async function start(
  configs: Readonly<Record<string, string>> = inline,
  settings: Partial<ServerSettings> = {},
) {
  const [tls] = tlsOf(configs, new Map()).values();
  if (tls === undefined) throw new Error("no TLS");
  const metrics = new Metrics();
  const log = new LineLog();
  const clock = new HandClock();
  const server = new Server({
    ...{ clock, log, metrics },
    dispatcher: new Dispatcher([metadata]),
    buffers: new BufferPool(),
    settings: { ...roomySettings, ...settings },
  });
  const listener: Listener = await listen({
    ...{ host: "127.0.0.1", port: 0, server, access: { tls } },
    advertise: ({ port }) => ({ name: "SSL", host: "localhost", port }),
  });
  cleanups.push(async () => {
    const closing = listener.close(1000);
    clock.advance(1000);
    await closing;
  });
  return { listener, log, server, metric: (line: string) => metricValue(metrics, line) };
}

/** Resolves with who the broker takes the client for; rejects when the connection ends before. */
async function asked(port: number, options: ConnectionOptions = {}): Promise<string | null> {
  const socket = connect({ host: "127.0.0.1", port, ca: authority.certificate, ...options });
  cleanups.push(() => {
    socket.destroy();
  });
  const reply = await firstReply(socket);
  return decodeReply(ApiKey.Metadata, 9, reply).clusterId;
}

function firstReply(socket: TLSSocket): Promise<Uint8Array> {
  const received: Uint8Array[] = [];
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed")));
    socket.on("data", (chunk: Uint8Array) => {
      received.push(chunk);
      const [frame] = whole(received);
      if (frame !== undefined) resolve(frame);
    });
    socket.write(request(ApiKey.Metadata, { topics: [] }, { version: 9 }));
  });
}

function whole(received: readonly Uint8Array[]): Uint8Array[] {
  try {
    return frames(received);
  } catch {
    return [];
  }
}

const shows = ({ certificate, key }: TestCertificate): ConnectionOptions => {
  return { cert: certificate, key };
};

describe("a listener that speaks TLS", () => {
  it.each(["TLSv1.2", "TLSv1.3"] as const)("serves by %s who verifies it", async (version) => {
    const { listener } = await start();
    const options = { minVersion: version, maxVersion: version, servername: "localhost" } as const;
    expect(await asked(listener.port, options)).toBe("User:ANONYMOUS");
    await expect(asked(listener.port, { ca: stranger.certificate })).rejects.toThrow(
      /certificate/u,
    );
  });

  it("speaks no older version, and only the newest where it is told so", async () => {
    const old = await start();
    const tooOld = {
      minVersion: "TLSv1.1",
      maxVersion: "TLSv1.1",
      ciphers: "ALL@SECLEVEL=0",
    } as const;
    await expect(asked(old.listener.port, tooOld)).rejects.toThrow();
    const newest = await start({ ...inline, "ssl.enabled.protocols": "TLSv1.3" });
    await expect(asked(newest.listener.port, { maxVersion: "TLSv1.2" })).rejects.toThrow();
    expect(await asked(newest.listener.port)).toBe("User:ANONYMOUS");
  });

  it("takes a client for whom its certificate names, in Kafka's form", async () => {
    const { listener } = await start({ ...inline, "ssl.client.auth": "required" });
    expect(await asked(listener.port, shows(alice))).toBe("User:CN=alice,O=Millrace");
  });

  it("refuses who shows no certificate, or a stranger's, where it is required", async () => {
    const { listener, metric, server } = await start({ ...inline, "ssl.client.auth": "required" });
    await expect(asked(listener.port)).rejects.toThrow();
    await expect(asked(listener.port, shows(stranger))).rejects.toThrow();
    expect(metric("millrace_tls_handshakes_failed_total")).toBe(2);
    await until(() => server.count.size === 0);
  });

  it("refuses a stranger's, and takes none, where it is requested", async () => {
    const { listener } = await start({ ...inline, "ssl.client.auth": "requested" });
    expect(await asked(listener.port)).toBe("User:ANONYMOUS");
    expect(await asked(listener.port, shows(alice))).toBe("User:CN=alice,O=Millrace");
    await expect(asked(listener.port, shows(stranger))).rejects.toThrow();
  });

  it("drops who does not speak TLS, and counts connections from their first byte", async () => {
    const { listener, log, server } = await start(inline, { maxConnections: 1 });
    const plain = connectPlain({ host: "127.0.0.1", port: listener.port });
    cleanups.push(() => {
      plain.destroy();
    });
    await until(() => server.count.size === 1);
    await expect(asked(listener.port)).rejects.toThrow();
    plain.write("GET / HTTP/1.1\r\n\r\n");
    await new Promise((resolve) => plain.on("close", resolve));
    await until(() => server.count.size === 0);
    expect(log.lines.some(({ message }) => message === "a TLS handshake failed")).toBe(true);
    expect(await asked(listener.port)).toBe("User:ANONYMOUS");
  });

  it("gives a handshake a bounded time, and cuts it when it closes", async () => {
    const [tls] = tlsOf(inline, new Map()).values();
    expect(tls?.handshakeTimeout).toBe(tlsHandshakeMsMax);
    const { listener, server } = await start();
    const silent = connectPlain({ host: "127.0.0.1", port: listener.port });
    const cut = new Promise((resolve) => silent.on("close", resolve));
    await until(() => server.count.size === 1);
    listener.stopAccepting();
    await cut;
    await until(() => server.count.size === 0);
  });
});

describe("keys and certificates", () => {
  const files = new Map([
    ["/both.pem", `${broker.key}${broker.certificate}`],
    ["/java.jks", "\u00fe\u00ed\u00fe\u00ed"],
  ]);

  it("may lie in one file", () => {
    expect(tlsOf({ "ssl.keystore.location": "/both.pem" }, files).has("SSL")).toBe(true);
  });

  it.each([
    [{ "ssl.keystore.location": "/none.pem" }, /none\.pem can't be read/],
    [{ "ssl.keystore.location": "/java.jks" }, /java\.jks has no private key in PEM \(JKS/],
    [{ ...inline, "ssl.keystore.certificate.chain": broker.key }, /no certificate in PEM/],
    [{ ...inline, "ssl.keystore.key": alice.key }, /TLS of listener SSL: .*mismatch/],
  ])("that can't be used are refused with a sentence that names no secret", (configs, words) => {
    const attempt = (): unknown => tlsOf(configs, files);
    expect(attempt).toThrow(words);
    expect(attempt).not.toThrow(/BEGIN|MIG/u);
  });
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2));
}
