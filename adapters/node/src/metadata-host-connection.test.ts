import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HostPeer, idOf, putOf } from "../test-programs/host-peer.ts";
import { metadataHostLimits } from "./metadata-host.ts";
import { HostConnection, type HostConnectionLimits } from "./metadata-host-connection.ts";
import type { Answer, Request } from "./metadata-host-messages.ts";

let folder = "";
let path = "";
let server: Server;
const dropped: string[] = [];
/** Transactions that the connection has handed over, and that nobody has answered. */
const asked: { readonly request: Request; readonly answer: (answer: Answer) => void }[] = [];

const largeItem = { key: "a", version: 1, json: Buffer.from(JSON.stringify("x".repeat(99_998))) };
const page: Answer = { kind: "page", items: [largeItem] };

function listen(limits: Partial<HostConnectionLimits>): Promise<void> {
  server = createServer((socket) => {
    void new HostConnection({
      socket,
      limits: { ...metadataHostLimits, ...limits },
      greeted: () => undefined,
      answer: (request) => {
        if (request.op !== "transact") return page;
        return new Promise((resolve) => asked.push({ request, answer: resolve }));
      },
      at: () => 7,
      onDropped: (reason) => dropped.push(reason),
    });
  });
  return new Promise((resolve) => server.listen({ path }, resolve));
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-link-"));
  path = join(folder, "sock");
  dropped.length = 0;
  asked.length = 0;
});

afterEach(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

describe("a host's connection", () => {
  it("answers as things are done, whatever was asked first", async () => {
    await listen({});
    const peer = await HostPeer.greet(path, idOf(1));
    for (const id of [1, 2]) peer.ask(id, putOf("a", "1"));
    peer.ask(3, { op: "get", key: "a" });
    expect((await peer.reply()).id).toBe(3);
    asked[1]?.answer({ kind: "done" });
    expect(await peer.reply()).toEqual({ id: 2, at: 7, kind: "done" });
    asked[0]?.answer({ kind: "forgotten" });
    expect(await peer.reply()).toEqual({ id: 1, at: 7, kind: "forgotten" });
    peer.socket.destroy();
  });

  it("takes no more transactions than may be under way, and goes on when one is done", async () => {
    await listen({ requestsInFlightMax: 2 });
    const peer = await HostPeer.greet(path, idOf(1));
    for (let id = 1; id <= 5; id += 1) peer.ask(id, putOf("a", "1"));
    await vi.waitFor(() => expect(asked).toHaveLength(2));
    await sleep(20);
    expect(asked).toHaveLength(2);
    asked[0]?.answer({ kind: "done" });
    await vi.waitFor(() => expect(asked).toHaveLength(3));
    peer.socket.destroy();
  });

  it("takes no more bytes of transactions than may be under way", async () => {
    await listen({ requestBytesInFlightMax: 1_500 });
    const peer = await HostPeer.greet(path, idOf(1));
    for (let id = 1; id <= 5; id += 1) peer.ask(id, putOf("a", "x".repeat(1000)));
    await vi.waitFor(() => expect(asked).toHaveLength(2));
    await sleep(20);
    expect(asked).toHaveLength(2);
    for (const { answer } of [...asked]) answer({ kind: "done" });
    await vi.waitFor(() => expect(asked).toHaveLength(4));
    peer.socket.destroy();
  });

  it("reads no more from a client that does not take its replies, until it does", async () => {
    await listen({ replyPauseBytes: 300_000 });
    const peer = await HostPeer.greet(path, idOf(1));
    for (let id = 1; id <= 50; id += 1) peer.ask(id, { op: "get", key: "a" });
    // Only when all before it were read.
    peer.ask(51, putOf("a", "1"));
    await sleep(50);
    expect(asked).toHaveLength(0);
    for (let id = 1; id <= 50; id += 1) expect((await peer.reply()).id).toBe(id);
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    expect(dropped).toEqual([]);
    peer.socket.destroy();
  });

  it("is closed when more replies wait for the client than may", async () => {
    await listen({ replyPauseBytes: 300_000, replyBytesMax: 600_000 });
    const peer = await HostPeer.greet(path, idOf(1));
    for (let id = 1; id <= 50; id += 1) peer.ask(id, putOf("a", "1"));
    await vi.waitFor(() => expect(asked).toHaveLength(50));
    for (const { answer } of asked) answer(page);
    await vi.waitFor(() => expect(dropped).toHaveLength(1));
    expect(dropped[0]).toMatch(/does not take its replies: \d+ bytes wait/);
    peer.socket.resume();
    await peer.closed;
  });

  it("tells a client of another version its own, and closes", async () => {
    await listen({});
    const peer = await HostPeer.connect(path);
    const hello = JSON.stringify({ op: "hello", version: 99, client: idOf(1) });
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32BE(hello.length + 4, 0);
    lengths.writeUInt32BE(hello.length, 4);
    peer.socket.write(Buffer.concat([lengths, Buffer.from(hello)]));
    expect((await peer.frame()).header).toEqual({ kind: "unwelcome", version: 1 });
    peer.socket.resume();
    await peer.closed;
    expect(dropped).toEqual(["a client speaks version 99, not 1"]);
  });
});
