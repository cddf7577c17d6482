import { expect, it } from "vitest";
import { batchOf, readAllRecords, Rig, turn } from "../../broker-fargate/src/partition/fixtures.ts";

type Policy = "local" | "journal";
type Death = "kill" | "crash";

interface Acked {
  readonly value: number;
  /** Under which policy the partition was when it was answered. */
  readonly policy: Policy;
}

/** More than the syncs of a change; the last of them changes nothing any more. */
const stepsMax = 40;
const turnsOfStep = 4;

const append = (value: number) => ({ records: batchOf([value]), waitFor: "durable" }) as const;

async function turns(): Promise<void> {
  for (let left = turnsOfStep; left > 0; left -= 1) await turn();
}

/** A change under appends, up to so many ends of syncs, and what was answered by then. */
async function changed(of: {
  readonly from: Policy;
  readonly to: Policy;
  readonly steps: number;
}): Promise<{
  readonly rig: Rig;
  readonly topic: Awaited<ReturnType<Rig["createTopic"]>>;
  readonly acked: readonly Acked[];
  /** Whether it had come to its end before. */
  readonly isDone: boolean;
  readonly freeSyncs: () => void;
}> {
  const held: (() => void)[] = [];
  let isHeld = false;
  const schedule = (run: () => void): void => {
    if (isHeld) held.push(run);
    else queueMicrotask(run);
  };
  const rig = await new Rig({ seed: of.steps, schedule }).start();
  const topic = await rig.createTopic("t", { configs: { "millrace.durability": of.from } });
  const owner = await rig.partitions.open(topic, 0);
  const acked: Acked[] = [];
  const send = (value: number): void => {
    void owner.append(append(value)).then(({ kind }) => {
      if (kind !== "refused") acked.push({ value, policy: owner.durability });
    });
  };
  for (const value of [1, 2, 3]) send(value);
  await turns();
  expect(acked).toHaveLength(3);
  isHeld = true;
  send(4);
  await rig.setDurability("t", of.to);
  for (const value of [5, 6]) send(value);
  await turns();
  for (let left = of.steps; left > 0 && held.length > 0; left -= 1) {
    held.shift()?.();
    await turns();
  }
  const isDone = held.length === 0 && owner.durability === of.to;
  return { rig, topic, acked: [...acked], isDone, freeSyncs: () => (isHeld = false) };
}

/** What a reply under `journal` promised covers everything before it, too. */
function promised(acked: readonly Acked[], death: Death): readonly number[] {
  const last = acked.findLastIndex(({ policy }) => policy === "journal");
  return acked.filter((_, at) => death === "kill" || at <= last).map(({ value }) => value);
}

it.each<[Policy, Policy, Death]>([
  ["local", "journal", "kill"],
  ["local", "journal", "crash"],
  ["journal", "local", "kill"],
  ["journal", "local", "crash"],
])(
  "a change from %s to %s keeps its promises, whichever step of it a %s follows",
  async (from, to, death) => {
    let endedAt: number | undefined;
    for (let steps = 0; steps < stepsMax && endedAt === undefined; steps += 1) {
      const { acked, freeSyncs, isDone, rig, topic } = await changed({ from, to, steps });
      freeSyncs();
      await (death === "kill" ? rig.kill() : rig.crash());
      const owner = await rig.partitions.open(topic, 0);
      const values = readAllRecords(owner).map(({ value }) => value);
      // Of an acknowledgement at most the end is missing, and nothing is there twice.
      expect(values, `after ${steps} syncs`).toEqual([1, 2, 3, 4, 5, 6].slice(0, values.length));
      expect(values, `after ${steps} syncs`).toEqual(
        expect.arrayContaining([...promised(acked, death)]),
      );
      // What was wanted is completed by the next life.
      await owner.append(append(9));
      expect(owner.durability, `after ${steps} syncs`).toBe(to);
      expect(rig.failures).toEqual([]);
      if (isDone) endedAt = steps;
    }
    expect(endedAt).toBeGreaterThan(2);
  },
);
