import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  FaultyObjectStore,
  MemoryObjectStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { FileObjectStore, type FileObjectStoreOptions } from "@millrace/adapter-node";
import type { ObjectStore } from "@millrace/core";
import { sideWorkEntry } from "../../broker-fargate/src/side-work/entry.ts";
import { type ObjectStoreSubject, objectStoreContract } from "./object-store-contract.ts";

function memory(): ObjectStoreSubject {
  return {
    name: "memory",
    open: async () => new MemoryObjectStore(),
    reopen: async (store) => {
      await store.close();
      return (store as MemoryObjectStore).reopen();
    },
    cleanUp: async () => {},
  };
}

/** The wrapper without a fault must be as good as what it wraps. */
function faultless(): ObjectStoreSubject {
  const wrapped = new WeakMap<ObjectStore, MemoryObjectStore>();
  const wrap = (inner: MemoryObjectStore): ObjectStore => {
    const deps = { clock: new VirtualClock(), random: new SeededRandom(1) };
    const store = new FaultyObjectStore(inner, deps);
    wrapped.set(store, inner);
    return store;
  };
  return {
    name: "memory, behind faults that do not come",
    open: async () => wrap(new MemoryObjectStore()),
    reopen: async (store) => {
      await store.close();
      return wrap(wrapped.get(store)?.reopen() ?? new MemoryObjectStore());
    },
    cleanUp: async () => {},
  };
}

function files(options: FileObjectStoreOptions): ObjectStoreSubject {
  const folders = new Map<ObjectStore, string>();
  const open = async (folder: string): Promise<ObjectStore> => {
    const store = await FileObjectStore.open(join(folder, "objects"), options);
    folders.set(store, folder);
    return store;
  };
  return {
    name: `files, ${options.filesOpenMax ?? "the usual number of"} open at once${options.writer === undefined ? "" : ", written on a thread"}`,
    open: async () => open(await mkdtemp(join(tmpdir(), "millrace-objects-"))),
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

objectStoreContract(memory());
objectStoreContract(faultless());
objectStoreContract(files({}));
objectStoreContract(files({ filesOpenMax: 1 }));
objectStoreContract(files({ writer: sideWorkEntry }));
