/** What a group may hold, at its ends. */
import {
  FaultyMetadataStore,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { expect, test } from "vitest";
import { CoordinatorKit, joining } from "./coordinator-kit.ts";
import { assignmentBytesMax, groupBytesMax, memberBytesMax } from "./limits.ts";

function start(): Promise<CoordinatorKit> {
  const clock = new VirtualClock();
  const random = new SeededRandom(7);
  const store = new FaultyMetadataStore(new MemoryMetadataStore(), { clock, random });
  return CoordinatorKit.start({ clock, random, store });
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
