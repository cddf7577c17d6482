import {
  type BrokerId,
  Catalog,
  type ClusterFormat,
  type Epoch,
  formatItem,
  formatVersion,
  type IncarnationId,
  initialFeatures,
  keys,
  keysUnder,
  type Leadership,
  leadershipItem,
  newIncarnationId,
  readConfigs,
  readFormat,
  readLeadership,
  readTopic,
  readUser,
  type StoredUser,
  type SupportedVersions,
  takeEverySlot,
  versionMoved,
  type Write,
} from "@millrace/core";
import { FinalisedFeatures } from "./finalised-features.ts";
import { FormatError } from "./format-error.ts";
import { read, readAll, type StoreAccess, transact } from "./persist.ts";

/** Everything that a start reads from the store, or writes to it, before the broker listens. */
export interface OpenedCluster {
  readonly format: ClusterFormat;
  readonly features: FinalisedFeatures;
  readonly incarnation: IncarnationId;
  readonly epoch: Epoch;
  readonly catalog: Catalog;
  readonly users: readonly StoredUser[];
  readonly clusterConfigs: StoredConfigs;
  readonly brokerConfigs: StoredConfigs;
}

/** Configs with the version of their item; 0 when there is none. */
export interface StoredConfigs {
  readonly configs: ReadonlyMap<string, string>;
  readonly version: number;
}

const pageItems = 1000;

/**
 * The format is read before anything else, so that a newer one is refused untouched; then the new
 * incarnation and its epoch are written, durably; then the rest is read.
 */
export async function openCluster(
  access: StoreAccess,
  start: NewCluster & { readonly brokerId: BrokerId },
): Promise<OpenedCluster> {
  const format = await openFormat(access, start);
  const features = await FinalisedFeatures.read(access, start.versions);
  if (features.fault !== undefined) throw new FormatError(features.fault);
  const { level } = features;
  const owner = { brokerId: start.brokerId, slots: format.slots, level };
  const { incarnation, epoch } = await takeLeadership(access, owner);
  return { format, features, incarnation, epoch, ...(await openMetadata(access, start.brokerId)) };
}

/** What a cluster begins with, where there is none yet. */
export interface NewCluster {
  readonly slots: number;
  /** Its first level of `millrace.version` is the newest of these. */
  readonly versions: SupportedVersions;
}

export type OpenedMetadata = Pick<
  OpenedCluster,
  "catalog" | "users" | "clusterConfigs" | "brokerConfigs"
>;

/** Topics, users and configs as they are now. */
export async function openMetadata(access: StoreAccess, broker: BrokerId): Promise<OpenedMetadata> {
  const catalog = new Catalog();
  for await (const item of readAll(access, keysUnder("topic", pageItems))) {
    catalog.put(readTopic(item));
  }
  const users: StoredUser[] = [];
  for await (const item of readAll(access, keysUnder("user", pageItems))) {
    users.push(readUser(item));
  }
  const clusterConfigs = await readStoredConfigs(access, keys.clusterConfigs);
  const brokerConfigs = await readStoredConfigs(access, keys.brokerConfigs(broker));
  return { catalog, users, clusterConfigs, brokerConfigs };
}

/** The cluster's format; makes the cluster where there is none. Throws FormatError. */
export async function openFormat(
  access: StoreAccess,
  { slots, versions }: NewCluster,
): Promise<ClusterFormat> {
  for (;;) {
    const item = await read(access, keys.format);
    if (item !== undefined) {
      const known = readFormat(item);
      if (!known.ok) throw new FormatError(known.message);
      return known.format;
    }
    const format = { version: formatVersion, clusterId: newClusterId(access), slots };
    const absent = { is: "absent" } as const;
    const writes: readonly Write[] = [
      { kind: "put", key: keys.format, value: formatItem(format), condition: absent },
      { kind: "put", key: keys.features, value: initialFeatures(versions), condition: absent },
      versionMoved([]),
    ];
    // Whether it was refused or applied with its reply lost, reading again tells.
    await transact(access, writes, () => false);
  }
}

async function takeLeadership(
  access: StoreAccess,
  owner: { readonly brokerId: BrokerId; readonly slots: number; readonly level: number },
): Promise<{ readonly incarnation: IncarnationId; readonly epoch: Epoch }> {
  const bits = hexOf(access.random.bytes(16));
  for (;;) {
    const item = await read(access, keys.leadership);
    const before = item === undefined ? undefined : readLeadership(item, owner.slots);
    if (before !== undefined && isMine(before, bits)) return newest(before);
    const incarnation = newIncarnationId(before, bits);
    const after = takeEverySlot(before, { ...owner, incarnation });
    const value = leadershipItem(after, owner.level);
    const condition =
      item === undefined
        ? ({ is: "absent" } as const)
        : ({ is: "version", version: item.version } as const);
    const born = { state: "open", broker: owner.brokerId, epoch: after.epoch, trim: 0 };
    const writes: readonly Write[] = [
      { kind: "put", key: keys.leadership, value, condition },
      {
        kind: "put",
        key: keys.incarnation(incarnation),
        value: born,
        condition: { is: "absent" },
      },
      versionMoved([keys.leadership]),
    ];
    const outcome = await transact(access, writes, () => false);
    if (outcome.ok) return { incarnation, epoch: after.epoch };
  }
}

/** An incarnation's random bits are its own: finding them means that a lost reply was a success. */
function isMine({ leaders }: Leadership, bits: string): boolean {
  // Of many slots in a row that one leads, the first says it.
  return leaders.some((leader, slot) => {
    return leader !== leaders[slot - 1] && leader?.incarnation.endsWith(`-${bits}`) === true;
  });
}

function newest(leadership: Leadership): {
  readonly incarnation: IncarnationId;
  readonly epoch: Epoch;
} {
  const leader = leadership.leaders[0];
  if (leader === undefined) throw new FormatError("leadership assigns no slot");
  return { incarnation: leader.incarnation, epoch: leader.epoch };
}

export async function readStoredConfigs(access: StoreAccess, key: string): Promise<StoredConfigs> {
  const item = await read(access, key);
  if (item === undefined) return { configs: new Map(), version: 0 };
  return { configs: readConfigs(key, item.value["configs"]), version: item.version };
}

export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** 128 random bits as 22 characters of base64url that do not begin with `-`, as Kafka's ids. */
function newClusterId(access: StoreAccess): string {
  for (;;) {
    const id = Buffer.from(access.random.bytes(16)).toString("base64url");
    if (!id.startsWith("-")) return id;
  }
}
