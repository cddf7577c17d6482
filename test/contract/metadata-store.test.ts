import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  FaultyMetadataStore,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { LmdbMetadataStore } from "@millrace/adapter-node";
import type { MetadataStore } from "@millrace/core";
import { type MetadataStoreSubject, metadataStoreContract } from "./metadata-store-contract.ts";

function memory(): MetadataStoreSubject {
  return {
    name: "memory",
    open: async () => new MemoryMetadataStore(),
    reopen: async (store) => {
      await store.close();
      return (store as MemoryMetadataStore).reopen();
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

function lmdb(): MetadataStoreSubject {
  const folders = new Map<MetadataStore, string>();
  const open = (folder: string): MetadataStore => {
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

metadataStoreContract(memory());
metadataStoreContract(faultless());
metadataStoreContract(lmdb());
