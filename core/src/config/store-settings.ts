/** Where objects go, by `millrace.object.store`. */
export type ObjectStoreSettings =
  | { readonly kind: "files"; readonly folder: string }
  | {
      readonly kind: "s3";
      readonly bucket: string;
      readonly prefix: string;
      readonly endpoint: string | undefined;
      readonly region: string | undefined;
      readonly addressing: "host" | "path";
    };

/** The cluster's metadata store, by `millrace.metadata.store`. */
export type MetadataStoreSettings =
  /** A process of this machine hosts it on this Unix socket. */
  | { readonly kind: "hosted"; readonly socket: string }
  | {
      readonly kind: "dynamodb";
      readonly table: string;
      readonly endpoint: string | undefined;
      readonly region: string | undefined;
    };

/** Values as they are set. */
interface Texts {
  optionalText(name: string): string | undefined;
  flag(name: string): boolean;
}

export const objectStoreKey = "millrace.object.store";
export const metadataStoreKey = "millrace.metadata.store";
export const tieringKey = "remote.log.storage.system.enable";
export const durabilityKey = "millrace.durability";
const rebalanceDelayKey = "group.initial.rebalance.delay.ms";

/** Undefined where none is set, or what is set is neither form: `storeFaults` reports that. */
export function objectStoreIn(values: Texts): ObjectStoreSettings | undefined {
  const text = values.optionalText(objectStoreKey)?.trim() ?? "";
  const folder = /^file:(?:\/\/)?(\/.+)$/u.exec(text)?.[1];
  if (folder !== undefined) return { kind: "files", folder };
  const [, bucket, prefix] = /^s3:\/\/([a-z0-9][a-z0-9.-]*)(?:\/(.*?))?\/?$/u.exec(text) ?? [];
  if (bucket === undefined) return undefined;
  return {
    kind: "s3",
    bucket,
    prefix: prefix ?? "",
    endpoint: values.optionalText("millrace.object.store.endpoint"),
    region: values.optionalText("millrace.object.store.region"),
    addressing: values.flag("millrace.object.store.path.style") ? "path" : "host",
  };
}

/** Undefined where none is set: the broker is alone, and has its own. Likewise. */
export function metadataStoreIn(values: Texts): MetadataStoreSettings | undefined {
  const text = values.optionalText(metadataStoreKey)?.trim() ?? "";
  const socket = /^unix:(?:\/\/)?(\/.+)$/u.exec(text)?.[1];
  if (socket !== undefined) return { kind: "hosted", socket };
  const table = /^dynamodb:\/\/([A-Za-z0-9_.-]{3,255})$/u.exec(text)?.[1];
  if (table === undefined) return undefined;
  return {
    kind: "dynamodb",
    table,
    endpoint: values.optionalText("millrace.metadata.store.endpoint"),
    region: values.optionalText("millrace.metadata.store.region"),
  };
}

/** What follows from where things go, unless it is set: entries to be added. */
export function storeDefaults(known: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const added = new Map<string, string>();
  const isSet = (key: string): boolean => (known.get(key) ?? "").trim() !== "";
  if (isSet(objectStoreKey) && !known.has(tieringKey)) added.set(tieringKey, "true");
  // In a cluster a broker's disk may go with it.
  if (isSet(metadataStoreKey) && !known.has(durabilityKey)) added.set(durabilityKey, "journal");
  // As in the server.properties that comes with Kafka: who starts one broker waits for no company.
  if (!isSet(metadataStoreKey) && !known.has(rebalanceDelayKey)) added.set(rebalanceDelayKey, "0");
  return added;
}

export function storeFaults(
  found: {
    readonly objectStore: ObjectStoreSettings | undefined;
    readonly metadataStore: MetadataStoreSettings | undefined;
  },
  known: ReadonlyMap<string, string>,
): readonly string[] {
  const faults: string[] = [];
  const textOf = (key: string): string => known.get(key)?.trim() ?? "";
  const hasObjects = textOf(objectStoreKey) !== "";
  const isMember = textOf(metadataStoreKey) !== "";
  if (hasObjects && found.objectStore === undefined) {
    faults.push(`${objectStoreKey} is neither file:/absolute/folder nor s3://bucket/prefix`);
  }
  if (!hasObjects && textOf(tieringKey) === "true") {
    faults.push(`${tieringKey} needs ${objectStoreKey}`);
  }
  if (isMember && found.metadataStore === undefined) {
    faults.push(`${metadataStoreKey} is neither unix:/absolute/socket nor dynamodb://table`);
  }
  if (isMember && !hasObjects) {
    faults.push(`${metadataStoreKey} needs ${objectStoreKey}: brokers share their logs there`);
  }
  if (isMember && textOf(durabilityKey) === "local") {
    faults.push(
      `${durabilityKey}=local is for a broker that is alone, without ${metadataStoreKey}`,
    );
  }
  return faults;
}
