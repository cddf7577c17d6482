import { chmod, mkdir, mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MetadataError } from "@millrace/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HostPeer, idOf, putOf } from "../test-programs/host-peer.ts";
import { SystemClock } from "./clock.ts";
import {
  hostCloseMsMax,
  hostHelloBytesMax,
  hostRequestFrameBytesMax,
  socketPathBytesMax,
} from "./limits.ts";
import { MetadataHost, type MetadataHostLimits } from "./metadata-host.ts";
import { encodeFrame } from "./metadata-host-frames.ts";
import { encodeRequest, type Query } from "./metadata-host-messages.ts";
import { HostedMetadataStore } from "./metadata-host-store.ts";
import { SystemRandom } from "./random.ts";

let folder = "";
let socketPath = "";
let host: MetadataHost | undefined;
const stores: HostedMetadataStore[] = [];
const dropped: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-host-"));
  socketPath = join(folder, "sock");
  dropped.length = 0;
});

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  await host?.close();
  host = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function openHost(limits: Partial<MetadataHostLimits> = {}): Promise<void> {
  const onDropped = (reason: string): void => void dropped.push(reason);
  host = await MetadataHost.open({ directory: folder, socketPath, limits, onDropped });
}

async function restartHost(limits: Partial<MetadataHostLimits> = {}): Promise<void> {
  await host?.close();
  await openHost(limits);
}

function openStore(): HostedMetadataStore {
  const deps = { clock: new SystemClock(), random: new SystemRandom() };
  const store = new HostedMetadataStore({ socketPath, ...deps });
  stores.push(store);
  return store;
}

const put = (key: string, n: number) => [{ kind: "put", key, value: { n } } as const];

describe("a metadata host", () => {
  it("serves others while a client is paused in the middle of a frame", async () => {
    await openHost();
    const stalled = await HostPeer.greet(socketPath, idOf(1));
    const frame = encodeRequest({ id: 1, ...putOf("a", "x".repeat(100_000)) });
    stalled.socket.write(frame.subarray(0, frame.length / 2));
    const store = openStore();
    for (let n = 1; n <= 20; n += 1) await store.transact(put("b", n));
    expect(await store.get("a")).toBeUndefined();
    stalled.socket.write(frame.subarray(frame.length / 2));
    expect(await stalled.reply()).toMatchObject({ id: 1, kind: "done" });
    expect((await store.get("a"))?.version).toBe(1);
    stalled.socket.destroy();
    expect(dropped).toEqual([]);
  });

  it("serves others while a client does not read its replies", async () => {
    await openHost();
    const store = openStore();
    await store.transact([{ kind: "put", key: "big", value: { text: "x".repeat(370_000) } }]);
    const paused = await HostPeer.greet(socketPath, idOf(1));
    for (let id = 1; id <= 100; id += 1) paused.ask(id, { op: "get", key: "big" });
    for (let n = 1; n <= 20; n += 1) await store.transact(put("b", n));
    for (let id = 1; id <= 100; id += 1) expect((await paused.reply()).id).toBe(id);
    paused.socket.destroy();
  });

  it("that ends does not wait for long for a client that does not read", async () => {
    await openHost();
    const store = openStore();
    await store.transact([{ kind: "put", key: "big", value: { text: "x".repeat(370_000) } }]);
    const paused = await HostPeer.greet(socketPath, idOf(1));
    for (let id = 1; id <= 100; id += 1) paused.ask(id, { op: "get", key: "big" });
    // What was answered before it ends is still taken by those that do read.
    const asked = await HostPeer.greet(socketPath, idOf(2));
    const answered = asked.reply();
    asked.ask(1, { op: "get", key: "big" });
    await sleep(50);
    const startedMs = performance.now();
    await host?.close();
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(hostCloseMsMax - 1);
    expect(performance.now() - startedMs).toBeLessThan(hostCloseMsMax + 2000);
    expect(await answered).toMatchObject({ id: 1, kind: "page" });
    paused.socket.destroy();
    host = undefined;
  });

  it("has no more clients than it may, and room for another when one goes", async () => {
    await openHost({ connectionsMax: 2 });
    const peers = [
      await HostPeer.greet(socketPath, idOf(1)),
      await HostPeer.greet(socketPath, idOf(2)),
    ];
    const third = await HostPeer.connect(socketPath);
    third.socket.resume();
    await third.closed;
    expect(dropped).toEqual(["there are 2 clients already"]);
    const late = openStore().transact(put("a", 1));
    peers[0]?.socket.destroy();
    expect(await late).toEqual({ ok: true });
    peers[1]?.socket.destroy();
  });

  it("passes on a value that is not JSON, and its reader says that the item is damaged", async () => {
    await openHost();
    const peer = await HostPeer.greet(socketPath, idOf(1));
    const writes = [{ kind: "put", key: "a", json: Buffer.from("{") }] as const;
    peer.ask(1, { ...putOf("a", "1"), writes });
    expect(await peer.reply()).toMatchObject({ kind: "done" });
    const read = openStore().get("a");
    await expect(read).rejects.toThrow(MetadataError);
    await expect(read).rejects.toThrow("the item a is damaged");
    peer.socket.destroy();
  });

  it("lists no more items in a page than it may", async () => {
    await openHost({ pageItemsMax: 2 });
    const store = openStore();
    await store.transact(["x/1", "x/2", "x/3"].flatMap((key) => put(key, 1)));
    const first = await store.range({ from: "x/", to: "x0", limit: 100 });
    expect(first.items.map(({ key }) => key)).toEqual(["x/1", "x/2"]);
    expect(first.next).toBe("x/3");
  });
});

const range = (from: string, to: string, limit: unknown): object => {
  return { id: 1, op: "range", from, to, limit };
};
const transact = (writes: unknown, fields: object = {}): object => {
  return { id: 1, op: "transact", writeId: idOf(1), again: false, since: 1, writes, ...fields };
};
const check = { kind: "check", key: "a", condition: { is: "absent" } };

/** What no client of ours sends. */
const nonsense: readonly (readonly [string, Buffer])[] = [
  ["a frame of more bytes than a request", lengthOf(hostRequestFrameBytesMax + 1)],
  ["a frame without a header", Buffer.from([0, 0, 0, 4, 0, 0, 0, 1])],
  ["a header that is no object", encodeFrame([])],
  ["no id", encodeFrame({ op: "get", key: "a" })],
  ["an unknown operation", encodeFrame({ id: 1, op: "drop" })],
  ["a key with a blank", encodeFrame({ id: 1, op: "get", key: "a b" })],
  ["values that nothing announces", encodeFrame({ id: 1, op: "get", key: "a" }, [Buffer.of(1)])],
  ["a range over two partitions", encodeFrame(range("a/", "b/", 1))],
  ["a limit that is no number", encodeFrame(range("a/", "a0", "1"))],
  ["a write id that is too short", encodeFrame(transact([], { writeId: "00" }))],
  ["writes that are no list", encodeFrame(transact({}))],
  ["a write of an unknown kind", encodeFrame(transact([{ kind: "add", key: "a" }]))],
  ["a key twice", encodeFrame(transact([check, check]))],
  ["a check without a condition", encodeFrame(transact([{ kind: "check", key: "a" }]))],
  ["an unknown condition", encodeFrame(transact([{ ...check, condition: { is: "odd" } }]))],
  ["a value that is not there", encodeFrame(transact([{ kind: "put", key: "a", json: 2 }]))],
  [
    "a value that is too large",
    encodeFrame(transact([{ kind: "put", key: "a", json: 380_001 }]), [Buffer.alloc(380_001)]),
  ],
];

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes);
  return length;
}

describe("a metadata host that is told nonsense", () => {
  it.each(nonsense)("closes that connection with one line: %s", async (_, bytes) => {
    await openHost();
    const peer = await HostPeer.greet(socketPath, idOf(1));
    const other = await HostPeer.greet(socketPath, idOf(2));
    peer.socket.write(bytes);
    peer.socket.resume();
    await peer.closed;
    await vi.waitFor(() => expect(dropped).toHaveLength(1));
    other.ask(1, { op: "get", key: "a" });
    expect(await other.reply()).toMatchObject({ kind: "page", items: [] });
    other.socket.destroy();
  });

  it.each([
    ["is longer than a hello", lengthOf(hostHelloBytesMax + 1)],
    ["is a request", encodeRequest({ id: 1, op: "get", key: "a" })],
  ])("closes a connection whose first frame %s", async (_, bytes) => {
    await openHost();
    const peer = await HostPeer.connect(socketPath);
    peer.socket.write(bytes);
    peer.socket.resume();
    await peer.closed;
    expect(dropped).toHaveLength(1);
  });
});

describe("a write that is sent again", () => {
  const again = (query: Query & { readonly op: "transact" }): Query => ({ ...query, again: true });

  it("because its reply was lost is applied once, also by the next host", async () => {
    await openHost();
    const first = await HostPeer.greet(socketPath, idOf(1));
    first.ask(1, putOf("a", "1"));
    const store = openStore();
    await vi.waitFor(async () => expect((await store.get("a"))?.version).toBe(1));
    first.socket.destroy();
    for (const restart of [async () => {}, restartHost]) {
      await restart();
      const next = await HostPeer.greet(socketPath, idOf(1));
      next.ask(2, again(putOf("a", "1")));
      expect(await next.reply()).toMatchObject({ id: 2, kind: "done" });
      next.socket.destroy();
    }
    expect((await store.get("a"))?.version).toBe(1);
  });

  it("while its first try is under way has that one's outcome", async () => {
    await openHost();
    const first = await HostPeer.greet(socketPath, idOf(1));
    const second = await HostPeer.connect(socketPath);
    const hello = encodeRequest({ op: "hello", version: 1, client: idOf(1) });
    first.ask(1, putOf("a", "1"));
    second.socket.write(
      Buffer.concat([hello, encodeRequest({ id: 2, ...again(putOf("a", "1")) })]),
    );
    expect((await second.frame()).header).toMatchObject({ kind: "welcome" });
    expect(await second.reply()).toMatchObject({ id: 2, kind: "done" });
    expect((await openStore().get("a"))?.version).toBe(1);
    second.socket.destroy();
  });

  it("and was never applied is applied then, also where others were", async () => {
    await openHost();
    for (let n = 1; n <= 5; n += 1) await openStore().transact(put("b", n));
    const peer = await HostPeer.greet(socketPath, idOf(1));
    peer.ask(1, again(putOf("a", "1")));
    expect(await peer.reply()).toMatchObject({ id: 1, kind: "done" });
    expect((await openStore().get("a"))?.version).toBe(1);
    peer.socket.destroy();
  });

  it("and was refused is decided again, because it had no effect", async () => {
    await openHost();
    const peer = await HostPeer.greet(socketPath, idOf(1));
    const json = Buffer.from("{}");
    const writes = [
      { kind: "put", key: "a", json, condition: { is: "version", version: 1 } },
    ] as const;
    peer.ask(1, { ...putOf("a", "1"), writes });
    const refused = [{ key: "a", found: undefined }];
    expect(await peer.reply()).toMatchObject({ id: 1, kind: "refused", refused });
    await openStore().transact(put("a", 1));
    peer.ask(2, again({ ...putOf("a", "1"), writes }));
    expect(await peer.reply()).toMatchObject({ id: 2, kind: "done" });
    peer.socket.destroy();
  });

  it("after its outcome may have been forgotten is not applied, and told so", async () => {
    await openHost({ outcomesMax: 3 });
    const store = openStore();
    for (let n = 1; n <= 5; n += 1) await store.transact(put("b", n));
    const peer = await HostPeer.greet(socketPath, idOf(1));
    peer.ask(1, again(putOf("a", "1")));
    expect(await peer.reply()).toMatchObject({ id: 1, kind: "forgotten" });
    expect(await store.get("a")).toBeUndefined();
    peer.socket.destroy();
  });

  it("ends what the client's former connection had left to read", async () => {
    await openHost({ requestsInFlightMax: 1 });
    const former = await HostPeer.greet(socketPath, idOf(1));
    const count = 500;
    const asks = Array.from({ length: count }, (_, index) => {
      return encodeRequest({ id: index, ...putOf(`x/${index}`, "1"), writeId: idOf(index) });
    });
    // With the host at once, and done one after another.
    former.socket.write(Buffer.concat(asks));
    former.socket.resume();
    const next = await HostPeer.greet(socketPath, idOf(1));
    await former.closed;
    const store = openStore();
    const applied = async (): Promise<number> =>
      (await store.range({ from: "x/", to: "x0", limit: count })).items.length;
    // The one that was under way goes on.
    await sleep(30);
    const before = await applied();
    await sleep(30);
    expect(await applied()).toBe(before);
    expect(before).toBeLessThan(count);
    expect(dropped).toEqual([]);
    next.socket.destroy();
  });
});

describe("the socket of a metadata host", () => {
  const open = (path: string, directory: string): Promise<MetadataHost> =>
    MetadataHost.open({ directory: join(folder, directory), socketPath: path });

  it("is its owner's alone", async () => {
    await openHost();
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
  });

  it("takes the place of a dead host's, and of no other file", async () => {
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen({ path: socketPath }, resolve));
    // Its file stays, as after a kill.
    await rename(socketPath, `${socketPath}.kept`);
    await new Promise<void>((resolve) => dead.close(() => resolve()));
    await rename(`${socketPath}.kept`, socketPath);
    await openHost();
    expect(await openStore().get("a")).toBeUndefined();
    const file = join(folder, "file");
    await writeFile(file, "mine");
    await expect(open(file, "other")).rejects.toThrow(/is no socket/);
  });

  it("of a live host is refused, and so is its directory", async () => {
    await openHost();
    await expect(open(socketPath, "other")).rejects.toThrow(/is the socket of a live process/);
    const second = MetadataHost.open({ directory: folder, socketPath: join(folder, "second") });
    await expect(second).rejects.toThrow(/is in use by another process/);
    expect(await openStore().get("a")).toBeUndefined();
    // What failed keeps nothing.
    await open(join(folder, "third"), "other").then((third) => third.close());
  });

  it("has a path that the system takes", async () => {
    const longest = join(folder, "x".repeat(socketPathBytesMax - folder.length - 1));
    await open(longest, "dir").then((opened) => opened.close());
    await expect(open(`${longest}x`, "dir")).rejects.toThrow(/has 108 bytes, at most 107 may be/);
    const deps = { clock: new SystemClock(), random: new SystemRandom() };
    expect(() => new HostedMetadataStore({ socketPath: `${longest}x`, ...deps })).toThrow(
      MetadataError,
    );
  });

  it("that cannot be made is said to be the reason", async () => {
    const closed = join(folder, "closed");
    await mkdir(closed);
    await chmod(closed, 0o500);
    await expect(open(join(closed, "deep", "sock"), "dir")).rejects.toThrow(/nobody can listen/);
  });
});
