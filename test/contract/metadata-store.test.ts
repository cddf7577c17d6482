import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  FaultyMetadataStore,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import {
  HostedMetadataStore,
  LmdbMetadataStore,
  MetadataHost,
  SystemClock,
  SystemRandom,
} from "@millrace/adapter-node";
import { AssertionError, type KeySeeker, MetadataError, type MetadataStore } from "@millrace/core";
import { afterEach, describe, expect, it } from "vitest";
import { type MetadataStoreSubject, metadataStoreContract } from "./metadata-store-contract.ts";

function memory(): MetadataStoreSubject<MemoryMetadataStore> {
  return {
    name: "memory",
    open: async () => new MemoryMetadataStore(),
    reopen: async (store) => {
      await store.close();
      return store.reopen();
    },
    cleanUp: async () => {},
  };
}

/** The wrapper without a fault must be as good as what it wraps. */
function faultless(): MetadataStoreSubject {
  const wrap = (store: MemoryMetadataStore): MetadataStore => {
    const deps = { clock: new VirtualClock(), random: new SeededRandom(1) };
    return Object.assign(new FaultyMetadataStore(store, deps), { wrapped: store });
  };
  return {
    name: "memory, behind faults that do not come",
    open: async () => wrap(new MemoryMetadataStore()),
    reopen: async (store) => {
      await store.close();
      return wrap((store as MetadataStore & { wrapped: MemoryMetadataStore }).wrapped.reopen());
    },
    cleanUp: async () => {},
  };
}

function lmdb(): MetadataStoreSubject<LmdbMetadataStore> {
  const folders = new Map<LmdbMetadataStore, string>();
  const open = (folder: string): LmdbMetadataStore => {
    const store = LmdbMetadataStore.open(join(folder, "metadata"));
    folders.set(store, folder);
    return store;
  };
  return {
    name: "lmdb",
    open: async () => open(await mkdtemp(join(tmpdir(), "millrace-metadata-"))),
    reopen: async (store) => {
      await store.close();
      return open(folders.get(store) ?? "");
    },
    cleanUp: async () => {
      for (const [store, folder] of folders) {
        await store.close();
        await rm(folder, { recursive: true, force: true });
      }
      folders.clear();
    },
  };
}

/** A host and its client, both in this process. */
function hosted(): MetadataStoreSubject {
  const hosts = new Map<MetadataStore, { readonly folder: string; readonly host: MetadataHost }>();
  const open = async (folder: string): Promise<MetadataStore> => {
    const socketPath = join(folder, "metadata.sock");
    const host = await MetadataHost.open({ directory: folder, socketPath });
    const deps = { clock: new SystemClock(), random: new SystemRandom() };
    const store = new HostedMetadataStore({ socketPath, ...deps });
    hosts.set(store, { folder, host });
    return store;
  };
  const close = async (store: MetadataStore): Promise<string> => {
    const { folder, host } = hosts.get(store) ?? {};
    hosts.delete(store);
    await store.close();
    await host?.close();
    return folder ?? "";
  };
  return {
    name: "lmdb, behind a host",
    open: async () => open(await mkdtemp(join(tmpdir(), "millrace-host-"))),
    reopen: async (store) => open(await close(store)),
    cleanUp: async () => {
      for (const store of [...hosts.keys()]) {
        await rm(await close(store), { recursive: true, force: true });
      }
    },
  };
}

metadataStoreContract(memory());
metadataStoreContract(faultless());
metadataStoreContract(lmdb());
metadataStoreContract(hosted());

describe.each([memory(), lmdb()])("a range of the store in $name", (subject) => {
  it("that meets a key of another partition is a bug of the caller", async () => {
    const store = await subject.open();
    await store.transact(
      ["slot/1/head", "topic/a"].map((key) => ({ kind: "put", key, value: {} })),
    );
    const slots = { from: "slot/", to: "slot0", limit: 9 };
    await expect(store.range(slots)).rejects.toThrow(AssertionError);
    expect((await store.range({ from: "topic/", to: "topic0", limit: 9 })).items).toHaveLength(1);
    await subject.cleanUp();
  });
});

const seekers: readonly MetadataStoreSubject<MetadataStore & KeySeeker>[] = [memory(), lmdb()];

describe.each(seekers)("a seek in the store in $name", (subject) => {
  afterEach(() => subject.cleanUp());

  it("finds the first key within its bounds, of whatever partition", async () => {
    const store = await subject.open();
    const written = ["slot/1/head", "slot/1/offsets/a", "slot/7/group/b", "topic/a"];
    await store.transact(written.map((key) => ({ kind: "put", key, value: {} })));
    const found = async (from: string, to: string): Promise<string | undefined> => {
      return store.firstKey({ from, to });
    };
    expect(await found("slot/0", "slot/9")).toBe("slot/1/head");
    expect(await found("slot/1/head", "slot/9")).toBe("slot/1/head");
    expect(await found("slot/1/i", "slot/9")).toBe("slot/1/offsets/a");
    expect(await found("slot/2", "slot/9")).toBe("slot/7/group/b");
    expect(await found("slot/2", "slot/7/group/b")).toBeUndefined();
    expect(await found("slot/8", "slot/9")).toBeUndefined();
    expect(await found("slot/9", "z")).toBe("topic/a");
    expect(await found("topic/b", "z")).toBeUndefined();
    await store.transact([{ kind: "delete", key: "slot/1/head" }]);
    expect(await found("slot/0", "slot/9")).toBe("slot/1/offsets/a");
  });

  it("is refused once the store is closed", async () => {
    const store = await subject.open();
    await store.close();
    await expect(store.firstKey({ from: "a", to: "b" })).rejects.toThrow(MetadataError);
  });
});
