import { crc32c } from "@millrace/wire";
import type { Answer, Reply } from "../../broker-fargate/src/server/dispatcher.ts";
import { fileKind, keyKind } from "./fault-table.ts";
import { forgetfulStore, type KnownMutation, mutatedDisk, mutateOwners } from "./mutating.ts";
import { compactionMutations } from "./compaction-mutations.ts";
import { tierMutations } from "./tier-mutations.ts";

/** A snapshot of no producers, for the offset that the given one was made at. */
function emptySnapshot(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  const body = new Uint8Array(4);
  const header = (parts[0] ?? new Uint8Array(20)).slice();
  new DataView(header.buffer).setUint32(16, crc32c(body));
  return [header, body];
}

export const mutations: readonly KnownMutation[] = [
  {
    name: "the high watermark moves before the journal is durable",
    regime: "journal",
    foundAs: ["lostWrite", "unseen", "inconsistentOffsets", "highWatermarkWentBack", "internal"],
    seedsMax: 8,
    disk: (disk) =>
      mutatedDisk(disk, (path) =>
        fileKind(path) === "journal" ? { sync: () => Promise.resolve() } : {},
      ),
  },
  {
    name: "an acknowledgement overtakes those before it",
    regime: "journal",
    killIn: "sync journal",
    foundAs: ["lostWrite", "unseen", "inconsistentOffsets", "internal"],
    seedsMax: 10,
    broker: (opened, { world }) =>
      mutateOwners(opened, (owner) => {
        const append = owner.append.bind(owner);
        owner.append = (request) => {
          const overtakes = request.waitFor === "durable" && world.chance(700);
          return append(overtakes ? { ...request, waitFor: "appended" } : request);
        };
      }),
  },
  {
    name: "a request's memory is used again while the journal still holds its batches",
    regime: "journal",
    foundAs: ["lostWrite", "unseen", "inconsistentOffsets", "internal"],
    seedsMax: 8,
    broker: ({ dispatcher }) => {
      const prepare = dispatcher.prepare.bind(dispatcher);
      dispatcher.prepare = (frame, origin) => {
        const prepared = prepare(frame, { ...origin, frameIsFree: () => undefined });
        if (prepared.kind !== "call") return prepared;
        const call = (): Answer => {
          const answer = prepared.call();
          origin.frameIsFree();
          return answer;
        };
        return { ...prepared, call };
      };
    },
  },
  {
    name: "the memory of records is used again while their reply has not been sent",
    regime: "local",
    foundAs: ["inconsistentOffsets", "phantom", "unseen", "failedRead", "pollSkip", "internal"],
    seedsMax: 30,
    broker: ({ dispatcher }) => {
      const early = (reply: Reply | undefined): Reply | undefined => {
        reply?.sent?.();
        return reply === undefined ? undefined : { frame: reply.frame, sent: undefined };
      };
      const prepare = dispatcher.prepare.bind(dispatcher);
      dispatcher.prepare = (frame, origin) => {
        const prepared = prepare(frame, origin);
        if (prepared.kind !== "call") return prepared;
        const call = (): Answer => {
          const answer = prepared.call();
          return answer instanceof Promise ? answer.then(early) : early(answer);
        };
        return { ...prepared, call };
      };
    },
  },
  {
    name: "the producers are missing from their snapshot",
    regime: "local",
    foundAs: ["duplicate", "internal"],
    seedsMax: 24,
    disk: (disk) =>
      mutatedDisk(disk, (path, file) =>
        fileKind(path) === "snapshot"
          ? { write: (position, parts) => file.write(position, emptySnapshot(parts)) }
          : {},
      ),
  },
  {
    name: "after a loss of power the local tail is trusted and the journal skipped",
    regime: "journal",
    foundAs: ["lostWrite", "unseen", "inconsistentOffsets", "highWatermarkWentBack", "internal"],
    seedsMax: 8,
    store: (store) => ({
      get: (key) => store.get(key),
      range: async (range) =>
        keyKind(range.from) === "incarnation" ? { items: [] } : store.range(range),
      transact: (writes) => store.transact(writes),
      close: () => store.close(),
    }),
  },
  {
    name: "a restart gets an epoch that was used before",
    regime: "local",
    foundAs: ["internal"],
    seedsMax: 8,
    store: (store) => forgetfulStore(store, ({ key }) => keyKind(key) === "leadership"),
  },
  {
    name: "a read begins one record too late",
    regime: "local",
    foundAs: ["pollSkip"],
    seedsMax: 8,
    broker: (opened) =>
      mutateOwners(opened, (owner) => {
        const read = owner.read.bind(owner);
        owner.read = (range) => {
          const isInside = range.from > 0 && range.from + 1 < owner.highWatermark;
          return read(isInside ? { ...range, from: range.from + 1 } : range);
        };
      }),
  },
  {
    name: "the journal is trimmed before the segments are durable",
    regime: "journal",
    foundAs: ["lostWrite", "unseen", "inconsistentOffsets", "highWatermarkWentBack", "internal"],
    seedsMax: 8,
    disk: (disk) =>
      mutatedDisk(disk, (path) =>
        fileKind(path) === "segment" ? { sync: () => Promise.resolve() } : {},
      ),
  },
  {
    name: "a log that is cut keeps its end",
    regime: "journal",
    foundAs: ["lostWrite", "unseen", "inconsistentOffsets", "duplicate", "internal"],
    seedsMax: 12,
    disk: (disk) =>
      mutatedDisk(disk, (path, file) =>
        fileKind(path) === "segment"
          ? {
              resize: (size) => {
                if (size > file.size()) file.resize(size);
              },
            }
          : {},
      ),
  },
  {
    name: "a committed offset is answered and not written",
    regime: "local",
    foundAs: ["commitWentBack"],
    seedsMax: 8,
    store: (store) => forgetfulStore(store, ({ key }) => keyKind(key) === "offsets"),
  },
  ...tierMutations,
  ...compactionMutations,
];
