/**
 * What a broker process stands on: the adapters behind its ports, chosen by its configuration alone.
 * Metadata: lmdb of its own; one that its machine shares, through a process that hosts it; DynamoDB.
 * Objects: none, files, S3.
 */
import { appendFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { DynamoDbMetadataStore, S3ObjectStore } from "@millrace/adapter-aws";
import {
  crc32c,
  FileObjectStore,
  LmdbMetadataStore,
  loadCodecs,
  NodeDisk,
  nodeHashing,
  SystemClock,
  SystemRandom,
  WorkerPool,
} from "@millrace/adapter-node";
import { HostedMetadataStore } from "@millrace/adapter-node/hosted-store";
import type {
  Clock,
  MetadataStore,
  MetadataStoreSettings,
  ObjectStore,
  ObjectStoreSettings,
  Random,
} from "@millrace/core";
import type { Logger } from "pino";
import { BufferPool } from "./buffer-pool.ts";
import { LifeDisks } from "./life-disks.ts";
import type { Configuration, Ports } from "./open-broker.ts";
import type { Options } from "./options.ts";
import { sideWorkEntry } from "./side-work/entry.ts";
import { withSlowReads } from "./slow-reads.ts";

/** What this process has, whatever life of the broker it is in. */
export interface Node {
  /** For the n-th life, from 1 on. */
  ports(life: number): Ports;
  /** What that life had on the disk goes, where it counts no more. Never rejects. */
  lifeOver(life: number): Promise<void>;
  readonly clock: Clock;
  readonly store: MetadataStore;
  close(): Promise<void>;
}

export async function openNode(at: {
  readonly dataDirectory: string;
  readonly options: Options;
  readonly configuration: Configuration;
  readonly log: Logger;
}): Promise<Node> {
  const { dataDirectory, log } = at;
  const { metadataStore, objectStore } = at.configuration.settings;
  const { objectReadDelayMs: delayMs, syncLogPath } = at.options;
  const onSynced = (path: string, length: number): void => {
    if (syncLogPath !== undefined)
      appendFileSync(syncLogPath, `${JSON.stringify({ path, length })}\n`);
  };
  const { codecs } = loadCodecs({
    onSnappyFallback: (cause) =>
      log.info({ err: cause }, "snappy's native codec is absent; using our own"),
  });
  const clock = new SystemClock();
  const random = new SystemRandom();
  const { store, ...seeking } =
    metadataStore === undefined
      ? openOwnMetadata(join(dataDirectory, "metadata"))
      : { store: await openSharedMetadata(metadataStore, { clock, random }) };
  const space = (): { readonly totalBytes: number; readonly usableBytes: number } => {
    const { blocks, bsize, bavail } = statfsSync(dataDirectory);
    return { totalBytes: blocks * bsize, usableBytes: bavail * bsize };
  };
  const folder = { path: dataDirectory, space };
  const buffers = new BufferPool();
  const sideWork = new WorkerPool({
    entry: sideWorkEntry,
    onDeath: (error) => log.error({ err: error }, "a thread of side work died"),
  });
  const openedObjects =
    objectStore === undefined ? undefined : await openObjects(objectStore, { clock, random, log });
  const objects =
    openedObjects === undefined || delayMs === 0
      ? openedObjects
      : withSlowReads(openedObjects, clock, delayMs);
  const hashing = nodeHashing;
  const shared = { clock, random, hashing, store, codecs, crc32c, sideWork, folder, log, buffers };
  const own = { ...shared, ...seeking, ...(objects === undefined ? {} : { objects }) };
  const disks =
    metadataStore === undefined ? undefined : newLifeDisks(dataDirectory, { clock, log });
  await disks?.begin();
  return {
    ...{ clock, store },
    ports: (life) => {
      if (disks !== undefined) return { ...own, disk: disks.open(life) };
      const disk = new NodeDisk(dataDirectory, syncLogPath === undefined ? {} : { onSynced });
      return { ...own, disk };
    },
    lifeOver: async (life) => disks?.end(life),
    close: async () => {
      await sideWork.close();
      await objects?.close();
      await store.close();
    },
  };
}

/** A member's disk is no more than a cache of one life. */
function newLifeDisks(
  dataDirectory: string,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): LifeDisks {
  return new LifeDisks({
    ...{ clock, disk: new NodeDisk(dataDirectory) },
    diskOf: (folder) => new NodeDisk(join(dataDirectory, folder), { syncs: "left" }),
    warn: (what, err) => log.warn({ err }, what),
  });
}

function openOwnMetadata(folder: string): Pick<Ports, "store" | "seeker"> {
  const store = LmdbMetadataStore.open(folder);
  return { store, seeker: store };
}

/** What shares a store with others is loaded only where it is used. */
async function openSharedMetadata(
  settings: MetadataStoreSettings,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<MetadataStore> {
  if (settings.kind === "hosted") {
    return new HostedMetadataStore({ socketPath: settings.socket, clock, random });
  }
  const { endpoint, region, table } = settings;
  return DynamoDbMetadataStore.open({
    ...{ clock, random, table },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
  });
}

/** What speaks S3 is loaded only where it is used: it takes long, and much memory. */
async function openObjects(
  settings: ObjectStoreSettings,
  { clock, log, random }: { readonly clock: Clock; readonly random: Random; readonly log: Logger },
): Promise<ObjectStore> {
  if (settings.kind === "files") {
    return FileObjectStore.open(settings.folder, { writer: sideWorkEntry });
  }
  const { addressing, bucket, endpoint, prefix, region } = settings;
  return S3ObjectStore.open({
    ...{ clock, random, addressing, bucket, prefix, crc32c },
    onLeftUpload: ({ cause, uploadId }) =>
      log.warn({ err: cause, uploadId }, "parts of an upload that failed are left in the bucket"),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
  });
}
