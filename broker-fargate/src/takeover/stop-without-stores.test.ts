/** SIGTERM while a store is away: a task is killed 120 s later at the latest, whatever it does. */
import { expect, it } from "vitest";
import { batchOf } from "../partition/fixtures.ts";
import { ClusterRig } from "../../../test/fixtures/cluster-rig.ts";

/** What a task on Fargate has, less the time that connections are given. */
const stopMsMax = 90_000;
const away = { perThousand: { requestLost: 500, throttled: 500 } };
const awayObjects = { perThousand: { requestLost: 500, slowDown: 500 } };

const stores: readonly (readonly [string, readonly ("metadata" | "objects")[]])[] = [
  ["the metadata store is away", ["metadata"]],
  ["the object store is away", ["objects"]],
  ["both stores are away", ["metadata", "objects"]],
];

it.each(stores)("ends in time while %s, and loses nothing", async (_, gone) => {
  const rig = new ClusterRig();
  const [leaving, staying] = await rig.start(1, 2);
  if (leaving === undefined || staying === undefined) throw new Error("nobody");
  const topic = await rig.createTopic("t", 4);
  const partitions = [0, 1, 2, 3];
  for (const partition of partitions) await rig.append(topic, partition, partition);
  // What is acknowledged while the stores are there counts; what is not may be either.
  const late = partitions.map((partition) => {
    const owner = leaving.partitions.find(topic, partition);
    return owner?.append({ waitFor: "durable", records: batchOf([100 + partition]) });
  });
  if (gone.includes("metadata")) rig.store.rates = away;
  if (gone.includes("objects")) rig.objects.rates = awayObjects;
  const stopping = leaving.broker.leave().then(() => leaving.broker.close());
  const begunMs = rig.clock.monotonicMs();
  await rig.run(stopping, stopMsMax);
  expect(rig.clock.monotonicMs() - begunMs).toBeLessThan(stopMsMax);
  rig.kill(leaving);
  rig.store.rates = { perThousand: {} };
  rig.objects.rates = { perThousand: {} };
  await rig.until(async () => {
    return (await rig.leaders()).every((leader) => leader === staying.incarnation);
  });
  await rig.settled();
  for (const partition of partitions) {
    const outcome = await Promise.resolve(late[partition]);
    const acknowledged = outcome?.kind === "appended" ? [100 + partition] : [];
    const values = await rig.values(topic, partition);
    expect(values).toEqual(expect.arrayContaining([partition, ...acknowledged]));
    expect(values.every((one) => one === partition || one === 100 + partition)).toBe(true);
  }
  expect(staying.errors).toEqual([]);
});
