/** SIGTERM while the others are there to take the slots: how long a broker waits for that. */
import { expect, it } from "vitest";
import { ClusterRig } from "../../../test/fixtures/cluster-rig.ts";
import { drainMsMax, drainPollMs } from "./limits.ts";

const partitions = [0, 1, 2, 3];

async function twoBrokers() {
  const rig = new ClusterRig();
  const [leaving, staying] = await rig.start(1, 2);
  if (leaving === undefined || staying === undefined) throw new Error("nobody");
  const topic = await rig.createTopic("t", partitions.length);
  for (const partition of partitions) await rig.append(topic, partition, partition);
  return { rig, topic, leaving, staying };
}

it("ends as soon as the others have the slots", async () => {
  const { leaving, rig, staying } = await twoBrokers();
  const begunMs = rig.clock.monotonicMs();
  await rig.run(leaving.broker.leave());
  expect(rig.clock.monotonicMs() - begunMs).toBeLessThan(drainMsMax);
  expect(new Set(await rig.leaders())).toEqual(new Set([staying.incarnation]));
});

it("ends when its time is over, though the others have not taken the slots, who then take them by force", async () => {
  const { leaving, rig, staying, topic } = await twoBrokers();
  // No move gets through: what a slot has can't be copied to where the other one would find it.
  rig.objects.rates = { perThousand: { requestLost: 500, slowDown: 500 } };
  const begunMs = rig.clock.monotonicMs();
  await rig.run(leaving.broker.leave(), 2 * drainMsMax);
  const waitedMs = rig.clock.monotonicMs() - begunMs;
  expect(waitedMs).toBeGreaterThanOrEqual(drainMsMax);
  expect(waitedMs).toBeLessThan(drainMsMax + 2 * drainPollMs);
  expect(await rig.leaders()).toContain(leaving.incarnation);
  rig.kill(leaving);
  rig.objects.rates = { perThousand: {} };
  await rig.until(async () => {
    return (await rig.leaders()).every((leader) => leader === staying.incarnation);
  });
  await rig.settled();
  for (const partition of partitions) {
    expect(await rig.values(topic, partition)).toEqual([partition]);
  }
  expect(staying.errors).toEqual([]);
});
