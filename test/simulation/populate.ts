import type { Scene } from "./client.ts";
import { AssignedConsumer } from "./consumer.ts";
import { FullReader } from "./full-reader.ts";
import { GroupMember } from "./group-member.ts";
import { OffsetReader } from "./offset-reader.ts";
import { PlainProducer } from "./plain-producer.ts";
import type { Population } from "./population.ts";
import { IdempotentProducer } from "./producer.ts";
import type { Focus } from "./simulate.ts";
import type { Values } from "./values.ts";

export const group = "a group";
const others: readonly string[] = ["another group", "a third group", "a fourth group"];

/** Those of a run. */
export function groupsOf(focus: Focus | undefined): readonly string[] {
  return focus === "groups" ? [group, ...others] : [group];
}

/** Producers, consumers, and a group; all of them may crash. */
export function populate(
  scene: Scene,
  how: {
    readonly population: Population;
    readonly values: Values;
    readonly topics: readonly string[];
    readonly groups: readonly string[];
    /** Whether compacted partitions are read again and again while they are written. */
    readonly fullReads: "yes" | "no";
  },
): void {
  const { population, topics, values } = how;
  const name = (what: string): string => population.newName(what);
  for (let count = 2; count > 0; count -= 1) {
    population.begin(() => new IdempotentProducer(scene, name("producer"), values));
  }
  for (const acks of [-1, 1, 0] as const) {
    population.begin(() => new PlainProducer(scene, { name: name("plain"), values, acks }));
  }
  for (let count = 2; count > 0; count -= 1) {
    population.begin(() => new AssignedConsumer(scene, name("consumer")));
  }
  if (how.fullReads === "yes") {
    population.begin(() => new FullReader(scene, name("full-reader")));
  }
  for (const group of how.groups) {
    if (scene.host.are === "several") {
      population.begin(() => new OffsetReader(scene, { name: name("offset-reader"), group }));
    }
    for (let count = scene.world.between(1, 3); count > 0; count -= 1) {
      population.begin(() => new GroupMember(scene, { name: name("member"), group, topics }));
    }
  }
}
