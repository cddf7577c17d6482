import {
  brokerId,
  ClassicGroup,
  decideClaim,
  decideRelease,
  epoch,
  GroupOffsets,
  heartbeatItem,
  incarnationId,
  initialFeatures,
  type Item,
  type ItemValue,
  type JsonValue,
  keys,
  type Leadership,
  leadershipItem,
  memberItem,
  type MetadataStore,
  readConfigs,
  readFeatures,
  readFormat,
  readHead,
  readHeartbeat,
  readingItem,
  readJournalItem,
  readLeadership,
  readMember,
  readTopic,
  readUser,
  readVersion,
  readWithoutLeaders,
  slot,
  topicId,
  topicItem,
  UnreadableItemError,
  userItem,
} from "@millrace/core";
import { SeededRandom, VirtualClock } from "@millrace/adapter-memory";
import {
  groupItems,
  readBlock,
  readGroup,
} from "../../../broker-fargate/src/group/stored-group.ts";
import { SlotWrites } from "../../../broker-fargate/src/partition/slot-writes.ts";
import { ManifestItems } from "../../../broker-fargate/src/tier/manifest-items.ts";
import type { Chance } from "../chance.ts";
import { mutateJson } from "../mutate-json.ts";
import { type Decoder, type ReadOutcome, valueOr } from "./decoder.ts";

/**
 * The metadata store's items: JSON that this or another version wrote, as a store gives it back. An
 * input is a list of items, `[{"key", "version", "value"} …]`, of which most readers take one.
 */
const utf8 = new TextDecoder();
const encoder = new TextEncoder();

interface ItemDecoder {
  readonly name: string;
  readonly samples: readonly (readonly Item[])[];
  readonly read: (first: Item, further: readonly Item[]) => unknown;
}

function isItem(value: unknown): value is Item {
  if (typeof value !== "object" || value === null) return false;
  const { key, value: json, version } = value as Partial<Item>;
  const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
  return typeof key === "string" && typeof version === "number" && isObject;
}

/** What no store gives back, for it was never put, is none. */
function itemsOf(bytes: Uint8Array): readonly Item[] | undefined {
  try {
    const items: unknown = JSON.parse(utf8.decode(bytes));
    return Array.isArray(items) && items.every(isItem) ? items : undefined;
  } catch {
    return undefined;
  }
}

function bytesOf(json: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(json));
}

function mutate(sample: Uint8Array, chance: Chance): Uint8Array {
  return bytesOf(mutateJson(JSON.parse(utf8.decode(sample)), chance));
}

function decoderOf({ name, read, samples }: ItemDecoder): Decoder {
  return {
    name: `item: ${name}`,
    samples: samples.map(bytesOf),
    mutate,
    read: (bytes) => {
      const [first, ...further] = itemsOf(bytes) ?? [];
      if (first === undefined) return "refused";
      return valueOr(UnreadableItemError, () => read(first, further));
    },
  };
}

const slots = 16;
const topic = topicId("7b".repeat(16));
const one = incarnationId(`3-${"5a".repeat(16)}`);
const two = incarnationId(`4-${"c3".repeat(16)}`);

function itemAt(key: string, value: ItemValue, version = 4): Item {
  return { key, version, value };
}

function heads(): readonly Item[] {
  const me = { slot: slot(7), incarnation: one, epoch: epoch(2) } as const;
  const nothingSpent = { isSpent: () => false, isOver: () => true };
  const first = decideClaim(undefined, { ...me, ...nothingSpent });
  const put = (outcome: ReturnType<typeof decideClaim | typeof decideRelease>): Item => {
    if (outcome.kind !== "write" || outcome.write.kind !== "put") throw new Error("no head");
    return itemAt(outcome.write.key, outcome.write.value);
  };
  const claimed = put(first);
  const released = put(decideRelease(claimed, me));
  const again = { ...me, incarnation: two, epoch: epoch(3), ...nothingSpent };
  return [claimed, released, put(decideClaim(released, again)), put(decideClaim(claimed, again))];
}

function members(): readonly Item[] {
  const born = {
    ...{ brokerId: brokerId(3), epoch: epoch(2), versions: { min: 1, max: 2 } },
    listeners: [{ name: "PLAINTEXT", host: "broker.example", port: 9092 }],
    rack: "eu-1a",
  };
  const open = memberItem(born);
  const checkpoint = { number: 4, bytes: 9_000 };
  return [
    open,
    memberItem({ ...born, rack: undefined }),
    { ...open, trim: 17, checkpoint },
    { ...open, state: "closing", trim: 3, checkpoint },
    { ...open, state: "closed", trim: 17, end: 40 },
    { state: "open", broker: 0, epoch: 1, trim: 5, journal: "files" },
  ].map((value) => itemAt(keys.incarnation(one), value));
}

const led: Leadership = {
  ...{ epoch: epoch(9), incarnations: 4, controller: one },
  leaders: Array.from({ length: slots }, (_, at) => {
    const broker = at % 3;
    if (broker === 2) return undefined;
    const incarnation = broker === 0 ? one : two;
    return { brokerId: brokerId(broker), incarnation, epoch: epoch(broker + 1) };
  }),
  moves: [{ slots: [slot(0), slot(3), slot(6)], from: one, to: two }],
};
const leaderships: readonly Item[] = [1, 2].map((level) =>
  itemAt(keys.leadership, leadershipItem(led, level)),
);

const bytes16 = new Uint8Array(16).fill(5);
const scram = { salt: bytes16, iterations: 4096, storedKey: bytes16, serverKey: bytes16 };

function group(memberBytes: number): readonly Item[] {
  const member = (id: string) => ({
    ...{ memberId: id, instanceId: null, clientId: "c", clientHost: "/10.0.0.1" },
    ...{ sessionTimeoutMs: 45_000, rebalanceTimeoutMs: 300_000 },
    protocols: [{ name: "range", metadata: new Uint8Array(memberBytes).fill(1) }],
    assignment: new Uint8Array(memberBytes).fill(2),
  });
  const items = groupItems("readers", {
    ...{ state: "Stable", generation: 7, protocolType: "consumer", protocolName: "range" },
    ...{ leader: "m-1", stateSinceMs: 1_700_000_000_000 },
    members: [member("m-1"), member("m-2"), member("m-3")],
  });
  const key = keys.group(slot(7), "readers");
  return items.map(({ value }, at) => itemAt(at === 0 ? key : `${key}/${at}`, value));
}

const emptyGroup = groupItems("idle", {
  ...{ state: "Empty", generation: 1, protocolType: null, protocolName: null, leader: null },
  ...{ stateSinceMs: 1_700_000_000_000, members: [] },
}).map(({ value }) => itemAt(keys.group(slot(7), "idle"), value));

const committed: JsonValue = {
  [topic]: [
    [0, 5, 1, "", 1_700],
    [3, 2 ** 40, -1, "note", 1_700, 9],
  ],
};
const block = itemAt(keys.offsets(slot(7), "readers", "0"), {
  ...{ groupId: "readers", offsets: committed },
});

const segment = itemAt(keys.segment(slot(7), { topicId: topic, partition: 2, baseOffset: 40 }), {
  ...{ epoch: 3, object: "c/data/x", bytes: 700, batchesBytes: 500, nextOffset: 52 },
  ...{
    maxTimestamp: 1_700_000_000_000,
    leaderEpochs: [
      [1, 40],
      [3, 45],
    ],
    cleaned: true,
    lost: true,
  },
});

/** What a store holds for the manifest: these items, whatever is asked for. */
function storeOf(items: readonly Item[]): MetadataStore {
  return {
    get: () => Promise.resolve(items[0]),
    range: () => Promise.resolve({ items }),
    transact: () => Promise.reject(new Error("nothing is written")),
    close: () => Promise.resolve(),
  };
}

async function readSegments(bytes: Uint8Array): Promise<ReadOutcome> {
  const items = itemsOf(bytes);
  if (items === undefined || items.length === 0) return "refused";
  const store = storeOf(items);
  const access = { store, clock: new VirtualClock(), random: new SeededRandom(1) };
  const manifest = new ManifestItems(access, new SlotWrites(access));
  const read = manifest.segments({ slot: slot(7), topicId: topic, partition: 2 });
  const [outcome] = await Promise.allSettled([read]);
  return valueOr(UnreadableItemError, () => {
    if (outcome.status === "rejected") throw outcome.reason;
  });
}

const each = (items: readonly Item[]): readonly (readonly Item[])[] => items.map((item) => [item]);

const readers: readonly ItemDecoder[] = [
  {
    name: "head",
    samples: each(heads()),
    read: readHead,
  },
  { name: "journal", samples: each(members()), read: readJournalItem },
  {
    name: "member",
    samples: each(members()),
    read: readMember,
  },
  {
    name: "heartbeat",
    samples: each(
      [true, false].map((isDraining) => {
        const load = { total: 5_000, slots: [[slot(3), 70] as const, [slot(9), 2] as const] };
        const said = { counter: 8, durable: 12, load, seen: 4, isDraining, isAlone: !isDraining };
        return itemAt(keys.heartbeat(one), heartbeatItem(said));
      }),
    ),
    read: readHeartbeat,
  },
  {
    name: "leadership",
    samples: each(leaderships),
    read: (item) => {
      const { leaders } = readLeadership(item, slots);
      if (leaders.length !== slots) throw new Error(`${leaders.length} slots have leaders`);
    },
  },
  {
    name: "leadership's counts",
    samples: each(leaderships),
    read: (item) => readWithoutLeaders(item, slots),
  },
  {
    name: "topic",
    samples: each([
      itemAt(
        keys.topic("orders"),
        topicItem(
          {
            ...{ name: "orders", id: topic, partitionCount: 4, replicationFactor: 3 },
            configs: new Map([["cleanup.policy", "compact"]]),
            isInternal: false,
          },
          `${one}/1`,
        ),
      ),
    ]),
    read: readTopic,
  },
  {
    name: "configs",
    samples: each([itemAt(keys.clusterConfigs, { configs: { "log.retention.ms": "1000" } })]),
    read: ({ key, value }) => readConfigs(key, value["configs"]),
  },
  {
    name: "version",
    samples: each([itemAt(keys.version, { changed: ["topic/orders", "leadership"] })]),
    read: readVersion,
  },
  {
    name: "features",
    samples: each([itemAt(keys.features, initialFeatures())]),
    read: (item) => readFeatures(item),
  },
  {
    name: "user",
    samples: each([
      itemAt(
        keys.user("carol"),
        userItem({
          name: "carol",
          credentials: new Map([
            ["SCRAM-SHA-256", { keys: scram, stamp: "a" }],
            ["SCRAM-SHA-512", { keys: scram, stamp: "b" }],
          ]),
        }),
      ),
    ]),
    read: readUser,
  },
  {
    name: "group",
    samples: [group(5), group(9_000), emptyGroup],
    read: (first, further) => {
      const { groupId, snapshot } = readGroup(first, further);
      readingItem(first.key, () => ClassicGroup.restore(groupId, snapshot));
    },
  },
  {
    name: "committed offsets",
    samples: [[block]],
    read: (item) => {
      const { offsets } = readBlock(item);
      readingItem(item.key, () => new GroupOffsets().restore(0, offsets, 0));
    },
  },
];

export function itemDecoders(): readonly Decoder[] {
  const formats = [{ version: 1, clusterId: "AbCdEfGhIjKlMnOpQrStUg", slots: 64 }];
  return [
    ...readers.map((reader) => decoderOf(reader)),
    {
      name: "item: format",
      samples: formats.map((value) => bytesOf([itemAt(keys.format, value)])),
      mutate,
      read: (bytes) => {
        const [item] = itemsOf(bytes) ?? [];
        return item !== undefined && readFormat(item).ok ? "value" : "refused";
      },
    },
    {
      name: "item: segment of the manifest",
      samples: [bytesOf([segment])],
      mutate,
      read: readSegments,
    },
  ];
}
