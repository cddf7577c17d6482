import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AssertionError, MetadataError, type Write } from "@millrace/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SystemClock } from "./clock.ts";
import { MetadataHost } from "./metadata-host.ts";
import { FrameReader } from "./metadata-host-frames.ts";
import { encodeReply, parseHello, parseRequest, type Request } from "./metadata-host-messages.ts";
import { HostedMetadataStore, type HostedStoreLimits } from "./metadata-host-store.ts";
import { SystemRandom } from "./random.ts";

let folder = "";
let socketPath = "";
const cleanUps: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-hosted-"));
  socketPath = join(folder, "sock");
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
  await rm(folder, { recursive: true, force: true });
});

async function openHost(path: string = socketPath): Promise<MetadataHost> {
  const host = await MetadataHost.open({ directory: folder, socketPath: path });
  cleanUps.push(() => host.close());
  return host;
}

function openStore(limits: Partial<HostedStoreLimits> = {}): HostedMetadataStore {
  const deps = { clock: new SystemClock(), random: new SystemRandom() };
  const store = new HostedMetadataStore({ socketPath, ...deps, limits });
  cleanUps.push(() => store.close());
  return store;
}

/** A server at the socket that does with each connection what it is told to. */
async function serve(visit: (socket: Socket) => void): Promise<void> {
  const server = createServer((socket) => {
    cleanUps.push(async () => void socket.destroy());
    socket.on("error", () => undefined);
    visit(socket);
  });
  await new Promise<void>((resolve) => server.listen({ path: socketPath }, resolve));
  cleanUps.push(() => new Promise((resolve) => server.close(() => resolve())));
}

/** Says welcome, and nothing more. */
function muteHost(requests: Request[]): (socket: Socket) => void {
  return (socket) => {
    const reader = new FrameReader(10_000_000);
    let isGreeted = false;
    socket.on("data", (chunk: Buffer) => {
      reader.push(chunk);
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        if (isGreeted) requests.push(parseRequest(frame));
        else socket.write(encodeReply({ kind: "welcome", at: parseHello(frame).version }));
        isGreeted = true;
      }
    });
  };
}

const put = (key: string, n: number): readonly Write[] => [{ kind: "put", key, value: { n } }];

const errorOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a hosted metadata store", () => {
  it("goes on with the next host, and with what was called in between", async () => {
    const first = await openHost();
    const store = openStore();
    await store.transact(put("a", 1));
    await first.close();
    const late = [store.transact(put("a", 2)), store.transact(put("b", 1))];
    const read = store.get("c");
    await openHost();
    expect(await Promise.all(late)).toEqual([{ ok: true }, { ok: true }]);
    expect(await read).toBeUndefined();
    expect((await store.get("a"))?.version).toBe(2);
  });

  it("applies each write once, wherever connections break", async () => {
    const inner = join(folder, "inner");
    await openHost(inner);
    const random = seeded(7);
    // Both ways through here; each connection breaks after so many bytes, in a reply or a request.
    await serve((socket) => {
      const upstream = connect({ path: inner });
      upstream.on("error", () => undefined);
      let left = 200 + random() * 4000;
      const cut = (chunk: Buffer, to: Socket): void => {
        left -= chunk.length;
        to.write(left < 0 ? chunk.subarray(0, chunk.length / 2) : chunk);
        if (left >= 0) return;
        socket.destroy();
        upstream.destroy();
      };
      socket.on("data", (chunk: Buffer) => cut(chunk, upstream));
      upstream.on("data", (chunk: Buffer) => cut(chunk, socket));
      socket.on("close", () => upstream.destroy());
      upstream.on("close", () => socket.destroy());
    });
    const store = openStore({ callMsMax: 60_000 });
    const count = 150;
    for (let n = 1; n <= count; n += 3) {
      const writes = [n, n + 1, n + 2].map((number) => store.transact(put("a", number)));
      expect(await Promise.all(writes)).toEqual([{ ok: true }, { ok: true }, { ok: true }]);
    }
    expect(await store.get("a")).toEqual({ key: "a", version: count, value: { n: count } });
  });

  it("takes a caller's bug that the host finds for what it is", async () => {
    await openHost();
    const store = openStore();
    await store.transact(put("x/a/b", 1));
    const range = store.range({ from: "x/", to: "x0", limit: 1 });
    expect(await errorOf(range)).toBeInstanceOf(AssertionError);
  });
});

describe("a call that a host does not answer in time", () => {
  it("fails, and says that it was not applied when there was no host", async () => {
    const store = openStore({ callMsMax: 60 });
    for (const call of [store.transact(put("a", 1)), store.get("a")]) {
      const error = await errorOf(call);
      expect(error).toBeInstanceOf(MetadataError);
      expect(error).toMatchObject({ retriable: true, applied: "no" });
      expect((error as MetadataError).cause).toMatchObject({ code: "ENOENT" });
    }
  });

  it("fails, and says that it may be applied when it was sent", async () => {
    const requests: Request[] = [];
    await serve(muteHost(requests));
    const store = openStore({ callMsMax: 500 });
    const [write, read] = [store.transact(put("a", 1)), store.get("a")];
    expect(await errorOf(write)).toMatchObject({ retriable: true, applied: "maybe" });
    expect(await errorOf(read)).toMatchObject({ retriable: true, applied: "no" });
    expect(requests.map(({ op }) => op)).toEqual(["transact", "get"]);
  });

  it("was tried again with one write id as long as there was time", async () => {
    const requests: Request[] = [];
    const mute = muteHost(requests);
    await serve((socket) => {
      mute(socket);
      socket.on("data", () => setTimeout(() => socket.destroy(), 5));
    });
    const store = openStore({ callMsMax: 600 });
    const error = await errorOf(store.transact(put("a", 1)));
    expect(error).toMatchObject({ retriable: true, applied: "maybe" });
    const tries = requests.filter((request) => request.op === "transact");
    expect(tries.length).toBeGreaterThan(1);
    // With growing waits: far fewer than there was time for without.
    expect(tries.length).toBeLessThan(25);
    expect(new Set(tries.map(({ writeId }) => writeId)).size).toBe(1);
    expect(tries.map(({ again }) => again)).toEqual(tries.map((_, index) => index > 0));
  });

  it("because the store was closed fails at once", async () => {
    await serve(muteHost([]));
    const store = openStore();
    const error = errorOf(store.transact(put("a", 1)));
    await store.close();
    expect(await error).toMatchObject({ retriable: false, applied: "no" });
  });
});

describe("the calls of a hosted store", () => {
  it("are no more than may wait, and not more bytes", async () => {
    const few = openStore({ callsMax: 2, callMsMax: 100 });
    const waiting = [errorOf(few.get("a")), errorOf(few.get("b"))];
    const refused = { retriable: true, applied: "no", message: /too many calls/u };
    expect(await errorOf(few.get("c"))).toMatchObject({
      ...refused,
      message: expect.stringMatching(refused.message) as unknown,
    });
    await Promise.all(waiting);
    // Room again: this one waits for its time.
    expect(await errorOf(few.get("c"))).toMatchObject({
      message: expect.stringContaining("within 100 ms") as unknown,
    });
    const small = openStore({ callBytesMax: 1000, callMsMax: 100 });
    const large = { kind: "put", key: "a", value: { text: "x".repeat(990) } } as const;
    expect(await errorOf(small.transact([large]))).toMatchObject({
      message: expect.stringContaining("too many calls") as unknown,
    });
  });

  it("are sent as far as they may be under way, the rest when those are answered", async () => {
    const requests: Request[] = [];
    await serve(muteHost(requests));
    const store = openStore({ callsInFlightMax: 3, callMsMax: 700 });
    const calls = [1, 2, 3, 4, 5].map((n) => errorOf(store.transact(put("a", n))));
    await vi.waitFor(() => expect(requests).toHaveLength(3));
    const applied = (await Promise.all(calls)).map((error) => (error as MetadataError).applied);
    expect(applied).toEqual(["maybe", "maybe", "maybe", "no", "no"]);
    await store.close();
  });

  it("wait where a host that does not read cannot hold them", async () => {
    await serve((socket) => {
      socket.once("data", () => {
        socket.pause();
        socket.write(encodeReply({ kind: "welcome", at: 1 }));
      });
    });
    const store = openStore({ callMsMax: 500 });
    const text = "x".repeat(370_000);
    const calls = Array.from({ length: 60 }, (_, n) =>
      errorOf(store.transact([{ kind: "put", key: `a${n}`, value: { text } }])),
    );
    const errors = (await Promise.all(calls)) as MetadataError[];
    const sent = errors.filter(({ applied }) => applied === "maybe");
    expect(sent.length).toBeGreaterThan(1);
    // 1 MiB in the client, one more call, and what the kernel takes.
    expect(sent.length).toBeLessThan(20);
  });

  it("fail when the host speaks another version", async () => {
    await serve((socket) => {
      socket.on("data", () => socket.end(encodeReply({ kind: "unwelcome", version: 2 })));
    });
    const error = await errorOf(openStore().get("a"));
    expect(error).toMatchObject({ retriable: false, message: "the host speaks version 2" });
  });
});

/** Numbers from 0 to 1, the same for one seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
