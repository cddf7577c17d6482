/** What a group may hold, at its ends. */
import {
  FaultyMetadataStore,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { expect, test } from "vitest";
import type { JoinGroupInput } from "./coordinator.ts";
import { commitOf, CoordinatorKit, joining } from "./coordinator-kit.ts";
import { assignmentBytesMax, groupBytesMax, memberBytesMax } from "./limits.ts";

function start(settings: Readonly<Record<string, string>> = {}): Promise<CoordinatorKit> {
  const clock = new VirtualClock();
  const random = new SeededRandom(7);
  const store = new FaultyMetadataStore(new MemoryMetadataStore(), { clock, random });
  return CoordinatorKit.start({ clock, random, store }, settings);
}

function joiningWith(bytes: number): ReturnType<typeof joining> {
  return joining({ protocols: [{ name: "range", metadata: new Uint8Array(bytes) }] });
}

test("a member that brings more than one may is refused, and harms nobody", async () => {
  const kit = await start();
  const tooLarge = await kit.run(kit.groups.join("g", joiningWith(memberBytesMax)));
  expect(tooLarge).toMatchObject({ kind: "refused", reason: "groupTooLarge" });
  const joined = await kit.run(kit.groups.join("g", joiningWith(memberBytesMax - 1_000)));
  expect(joined.kind).toBe("joined");
});

test("an assignment larger than one may be is refused, and the largest is given", async () => {
  const kit = await start();
  const joined = await kit.run(kit.groups.join("g", joining()));
  if (joined.kind === "refused") throw new Error(joined.reason);
  const { memberId, generation } = joined;
  const sync = (bytes: number) =>
    kit.run(
      kit.groups.sync("g", {
        ...{ memberId, generation, instanceId: null },
        ...{ protocolType: "consumer", protocolName: "range" },
        assignments: new Map([[memberId, new Uint8Array(bytes)]]),
      }),
    );
  expect(await sync(assignmentBytesMax + 1)).toMatchObject({ reason: "groupTooLarge" });
  const synced = await sync(assignmentBytesMax);
  expect(synced.kind === "refused" ? synced.reason : synced.assignment.length).toBe(
    assignmentBytesMax,
  );
});

test("members that together bring more than a group may are refused, from the first too many on", async () => {
  const kit = await start();
  const each = memberBytesMax - 1_000;
  const fitting = Math.floor(groupBytesMax / memberBytesMax);
  const joins = Array.from({ length: fitting + 3 }, () => kit.groups.join("g", joiningWith(each)));
  const replies = await kit.run(Promise.all(joins));
  const refused = replies.filter(({ kind }) => kind === "refused");
  expect(refused.length).toBeGreaterThan(0);
  expect(replies.length - refused.length).toBeGreaterThanOrEqual(fitting);
  expect(refused.every((reply) => "reason" in reply && reply.reason === "groupTooLarge")).toBe(
    true,
  );
});

/** Six bytes each in JSON. */
const controls = (count: number): string => "\u0001".repeat(count);

async function isServing(kit: CoordinatorKit, groupId: string): Promise<boolean> {
  const outcome = await kit.run(kit.groups.commit(commitOf(kit, { groupId, offsets: [[0, 1]] })));
  return outcome.kind === "done" && outcome.results[0] === "committed";
}

test("a group's id that takes much more as JSON than as text is refused, and harms nobody", async () => {
  const kit = await start();
  const groupId = controls(32_767);
  const joined = await kit.run(kit.groups.join(groupId, joining({ clientId: controls(30_000) })));
  expect(joined).toMatchObject({ kind: "refused", reason: "invalidGroupId" });
  const { commits, ...request } = commitOf(kit, { groupId, offsets: manyOffsets });
  const large = commits.map((commit) => ({ ...commit, metadata: "m".repeat(1_000) }));
  const outcome = await kit.run(kit.groups.commit({ ...request, commits: large }));
  expect(outcome).toEqual({ kind: "refused", reason: "invalidGroupId" });
  for (const each of ["a".repeat(32_767), "é".repeat(16_383)]) {
    expect(await kit.run(kit.groups.join(each, joining()))).toMatchObject({ kind: "joined" });
    expect(await isServing(kit, each.slice(1))).toBe(true);
  }
});

test("offsets with so much metadata that one transaction can't have them are written in several", async () => {
  const kit = await start({ "offset.metadata.max.bytes": "40000" });
  const groupId = "g".repeat(32_767);
  const { commits, ...request } = commitOf(kit, { groupId, offsets: manyOffsets });
  const large = commits.map((commit) => ({ ...commit, metadata: controls(32_767) }));
  const outcome = await kit.run(kit.groups.commit({ ...request, commits: large }));
  expect(outcome).toEqual({ kind: "done", results: manyOffsets.map(() => "committed") });
  await kit.restart();
  const found = await kit.run(kit.groups.fetchOffsets(groupId, "all"));
  expect(typeof found === "string" ? found : found.length).toBe(manyOffsets.length);
  expect(await kit.run(kit.groups.delete(groupId))).toBe("deleted");
});

test.each<readonly [string, Partial<JoinGroupInput>]>([
  ["a client's", { clientId: controls(32_000) }],
  ["an instance's", { instanceId: controls(32_000) }],
  ["a protocol type's", { protocolType: controls(32_000) }],
  ["a protocol's", { protocols: [{ name: controls(19_000), metadata: new Uint8Array(10) }] }],
])(
  "names that take much more as JSON than as text are refused, and harm nobody: %s",
  async (_, input) => {
    const kit = await start();
    const joined = await kit.run(kit.groups.join("g", joining(input)));
    expect(joined).toMatchObject({ kind: "refused", reason: "groupTooLarge" });
    expect(await isServing(kit, "other")).toBe(true);
  },
);

test("a member with the longest names that it may have gets the largest assignment", async () => {
  const kit = await start();
  const clientId = controls(1_500);
  const name = controls(4_500);
  const groupId = "g".repeat(1_000);
  const metadata = new Uint8Array(70_000);
  const input = joining({ clientId, protocols: [{ name, metadata }] });
  const joined = await kit.run(kit.groups.join(groupId, input));
  if (joined.kind === "refused") throw new Error(joined.reason);
  const { memberId, generation } = joined;
  const synced = await kit.run(
    kit.groups.sync(groupId, {
      ...{ memberId, generation, instanceId: null },
      ...{ protocolType: "consumer", protocolName: name },
      assignments: new Map([[memberId, new Uint8Array(assignmentBytesMax)]]),
    }),
  );
  expect(synced).toMatchObject({ kind: "synced" });
  await kit.restart();
  expect(await kit.run(kit.groups.describe(groupId))).toMatchObject({ state: "Stable" });
});

const manyOffsets = Array.from({ length: 60 }, (_, partition) => [partition, 1] as const);
