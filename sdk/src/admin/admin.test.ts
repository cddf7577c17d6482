import { expect, test } from "vitest";
import { MemoryCluster } from "../../test/memory-cluster.ts";
import { clientOf } from "../../test/memory-client.ts";
import { refusal } from "../../test/memory-group.ts";

test("what may have been done in time is not asked for again: it would be said to be there already", async () => {
  const cluster = new MemoryCluster();
  const client = clientOf(cluster);
  cluster.createFault = () => refusal("REQUEST_TIMED_OUT", true);
  await expect(client.admin.createTopic("slow")).rejects.toMatchObject({
    ...{ code: "REQUEST_TIMED_OUT", retriable: true },
  });
  expect(await client.admin.listTopics()).toEqual(["slow"]);
  await client.close();
});

test("a time that is none is refused before anybody is asked", async () => {
  const cluster = new MemoryCluster();
  cluster.createTopic("lines");
  const client = clientOf(cluster);
  for (const timestamp of [Number.NaN, new Date("never"), -1]) {
    await expect(client.admin.offsets("lines", { timestamp })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  }
  await client.close();
});
