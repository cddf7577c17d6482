/** A fuzzer that finds nothing proves nothing: each of these mistakes must be found, and soon. */
import { DecodeError, Reader } from "@millrace/wire";
import { expect, test } from "vitest";
import { batchFormat, openTestLog } from "../fixtures/partition-log.ts";
import { type Decoder, valueOr } from "./decoders/decoder.ts";
import { DecoderTarget } from "./decoders/decoders.ts";
import { mutateJson } from "./mutate-json.ts";
import type { Plant } from "./handlers/fuzz-broker.ts";
import { HandlerTarget } from "./handlers/handlers.ts";
import type { Reopen } from "./recovery/log-case.ts";
import { RecoveryTarget } from "./recovery/recovery.ts";
import { fuzz, type Target } from "./target.ts";

const maxInt32 = 0x7fffffff;

async function firstFinding(target: Target, casesMax: number): Promise<string | undefined> {
  const { findings } = await fuzz(target, { seed: 1, casesMax, msMax: 25_000, findingsMax: 1 });
  return findings[0]?.what.join("\n");
}

/** Reads a count, and numbers of four bytes. */
function decoderThat(name: string, read: (reader: Reader) => unknown): Decoder {
  return {
    name,
    samples: [Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 9)],
    read: (bytes) => valueOr(DecodeError, () => read(new Reader(bytes))),
  };
}

function jsonBytes(json: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(json));
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

const decoders: readonly { readonly decoder: Decoder; readonly what: RegExp }[] = [
  {
    decoder: decoderThat("allocates by a count that nobody checked", (reader) => {
      return new Uint32Array(Math.min(reader.uint32(), 1 << 24));
    }),
    what: /allocated/u,
  },
  {
    decoder: decoderThat("reads where the count says that the last number is", (reader) => {
      const last = 4 * Math.max(0, reader.int32());
      return new DataView(reader.source.buffer).getInt32(Math.min(last, maxInt32));
    }),
    what: /threw RangeError/u,
  },
  {
    decoder: decoderThat("goes round as often as the count says", (reader) => {
      let sum = 0;
      for (let left = Math.min(reader.uint32(), 5e8); left > 0; left -= 1) sum ^= left;
      return sum;
    }),
    what: /took/u,
  },
  {
    decoder: {
      name: "takes what lies in a list for what is written there",
      samples: [jsonBytes({ slots: [{ slot: 3 }, { slot: 9 }] })],
      mutate: (sample, chance) => jsonBytes(mutateJson(jsonOf(sample), chance)),
      read: async (bytes) => {
        const { slots } = (jsonOf(bytes) ?? {}) as { readonly slots?: unknown };
        if (!Array.isArray(slots)) return "refused";
        const known = slots.map(({ slot }: { readonly slot: number }) => slot);
        return known.every(Number.isSafeInteger) ? "value" : "refused";
      },
    },
    what: /threw TypeError/u,
  },
];

test.for(decoders)("finds a decoder that $decoder.name", async ({ decoder, what }) => {
  expect(await firstFinding(new DecoderTarget([decoder]), 3_000)).toMatch(what);
});

const plants: readonly { readonly name: string; readonly plant: Plant; readonly what: RegExp }[] = [
  {
    name: "throws at a generation",
    plant: ({ broker: { groups } }) => {
      const heartbeat = groups.heartbeat.bind(groups);
      groups.heartbeat = (groupId, member) => {
        if (member.generation === 7) throw new TypeError("planted");
        return heartbeat(groupId, member);
      };
    },
    what: /closed instead of answered: Heartbeat|TypeError: planted/u,
  },
  {
    name: "never answers a member that is not there",
    plant: ({ broker: { groups } }) => {
      const heartbeat = groups.heartbeat.bind(groups);
      groups.heartbeat = (groupId, member) =>
        member.memberId === "nobody" ? new Promise(() => undefined) : heartbeat(groupId, member);
    },
    what: /millrace_requests_in_flight is/u,
  },
  {
    name: "answers with a byte too many",
    plant: ({ dispatcher }) => {
      const prepare = dispatcher.prepare.bind(dispatcher);
      dispatcher.prepare = (frame, origin) => {
        const prepared = prepare(frame, origin);
        const isListGroups = frame[0] === 0 && frame[1] === 16;
        if (prepared.kind !== "call" || !isListGroups) return prepared;
        return { ...prepared, call: () => longer(prepared.call()) };
      };
    },
    what: /the reply can't be decoded/u,
  },
];

type Called = ReturnType<Extract<ReturnType<Prepare>, { readonly kind: "call" }>["call"]>;
type Prepare = Parameters<Plant>[0]["dispatcher"]["prepare"];

async function longer(called: Called): Promise<Awaited<Called>> {
  const reply = await called;
  if (reply === undefined) return undefined;
  const bytes = Buffer.concat([...reply.frame.pieces, Uint8Array.of(0)]);
  bytes.writeInt32BE(bytes.length - 4);
  return { ...reply, frame: { pieces: [bytes], byteLength: bytes.length } };
}

test.for(plants)("finds a handler that $name", async ({ plant, what }) => {
  const target = await HandlerTarget.open({ plant });
  expect(await firstFinding(target, 60)).toMatch(what);
});

/** Its indexes are made again, since their CRCs do not hold; its batches' always do. */
const withoutCrc: Reopen = ({ config, disk }, recovery) =>
  openTestLog(disk, {
    ...{ config, recovery, crc32c: () => 0 },
    format: { ...batchFormat, readCrc: () => 0 },
  });

test("finds a recovery that does not look at the CRC", async () => {
  expect(await firstFinding(new RecoveryTarget(withoutCrc), 1_000)).toMatch(/other bytes/u);
});

/** As after a clean stop, whatever was. */
const trusting: Reopen = ({ config, disk }) => openTestLog(disk, { config });

test("finds a recovery that trusts what was never synced", async () => {
  expect(await firstFinding(new RecoveryTarget(trusting), 1_000)).toBeDefined();
});
