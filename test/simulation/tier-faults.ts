import type { TopicId } from "@millrace/core";
import { calmObjects } from "./broker-host.ts";
import type { Fault, FaultScene } from "./fault-scene.ts";
import type { Side } from "./fault-table.ts";
import { loseRepliesAndStop } from "./plain-faults.ts";

/** Faults of the object store, and of what goes between it and the disk. */
export const tierFaults: readonly Fault[] = [
  crashAtStep,
  crashAtStep,
  crashAtStep,
  crashAtStep,
  badObjects,
  badObjects,
  objectsAway,
  loseLogs,
  loseLogs,
  stopAndLoseLogs,
  shortLives,
  rotHotCopies,
  rotHotCopies,
];

/** Sides of a step that a crash can be at. */
export function sidesOf(step: string): readonly Side[] {
  // It shows in the broker's memory alone; the step before it is the naming, or the registration.
  return step === "tail counted" ? ["after"] : ["before", "after"];
}

/** The next time the broker reaches that step, it dies just before its effect, or just after. */
export function crashAtStep(scene: FaultScene): void {
  const { crashAt, host, steps, world } = scene.deps;
  const step = crashAt ?? world.pick(steps);
  const side = world.pick(sidesOf(step));
  host.steps.arm({
    step,
    side,
    hit: () => {
      host.freeze();
      world.clock.after(0, () => {
        host.table.add(`crash ${side}`, step);
        scene.kill();
      });
      return "dies";
    },
  });
  // Steps of a start come with a start, and after a loss.
  if (step === "log restarted") loseLogs(scene);
  if (step === "former journal removed") scene.kill();
}

/** 503, 409, timeouts with and without effect, and slowness, for a while. */
export function badObjects({ deps: { host, world } }: FaultScene): void {
  const most = world.pick([50, 200, 500]);
  host.objects.rates = {
    perThousand: {
      slowDown: world.below(most),
      conflict: world.below(most / 2),
      requestLost: world.below(most / 2),
      replyLost: world.below(most),
      lateEffect: world.below(most / 2),
      slowRead: world.below(most),
      slowList: world.below(most),
    },
    latencyMsMax: world.pick([2, 20, 100]),
    slowMsMax: world.pick([50, 300, 2_000]),
  };
}

/** Nothing of the object store answers: appends go on, and what is hot is read. */
export function objectsAway({ deps: { host, world } }: FaultScene): void {
  const fault = world.pick(["slowDown", "requestLost"] as const);
  host.objects.rates = { perThousand: { [fault]: 1000 }, latencyMsMax: 2, slowMsMax: 50 };
  host.table.add("object store away", host.state);
  world.clock.after(world.between(500, 12_000), () => {
    host.objects.rates = calmObjects;
  });
}

/** The process dies, and the folders of tiered partitions' logs go with it, or some of them. */
function loseLogs(scene: FaultScene): void {
  const { host } = scene.deps;
  const policy = scene.deps.logLoss();
  if (policy === "never" || host.state === "down") return;
  scene.kill();
  loseFolders(scene);
}

/**
 * Producers send again what was appended, and all of it is in the object store and nowhere else: of
 * who sent it only the images tell.
 */
export function stopAndLoseLogs(scene: FaultScene): void {
  const { host, world } = scene.deps;
  if (scene.deps.logLoss() === "never" || host.state !== "up") return;
  loseRepliesAndStop(scene);
  const life = host.starts;
  const watch = (): void => {
    if (host.starts !== life || scene.isOver) return;
    if (host.state === "down") loseFolders(scene);
    else world.clock.after(5, watch);
  };
  world.clock.after(100, watch);
}

function loseFolders(scene: FaultScene): void {
  const { host, world } = scene.deps;
  const policy = scene.deps.logLoss();
  const isAll = world.chance(700);
  for (const ref of scene.deps.tiered()) {
    if (!isAll && world.chance(500)) continue;
    host.disk.loseFolder(`partitions/${ref.topicId}-${ref.partition}`);
    world.trace.add(`the log of ${ref.topicId}-${ref.partition} is lost`);
    host.table.add("lost log", policy);
    scene.deps.onLost(ref);
  }
}

/**
 * Hot segments that the object store has, too, lose a bit or their end: under the running broker, or
 * before its next start.
 */
export function rotHotCopies(scene: FaultScene): void {
  const { host, world } = scene.deps;
  const paths = coveredSegments(scene);
  if (paths.length === 0) return;
  const isRunning = world.chance(500);
  if (!isRunning) scene.kill();
  for (let files = world.between(1, 3); files > 0; files -= 1) {
    const path = world.pick(paths);
    // A loss of power takes some; and one that compaction puts in place has another name until then.
    if (!host.disk.paths().includes(path)) continue;
    const bytes = host.disk.bytesOf(path);
    if (bytes.length === 0) continue;
    const damage = world.chance(700) ? "bit flip" : "truncation";
    if (damage === "truncation") host.disk.cut(path, world.below(bytes.length));
    else host.disk.flipBit(path, world.pick(checkedBits(bytes)));
    world.trace.add(`${damage} of ${path}`);
    host.table.add(damage, "segment");
  }
}

/** Paths of segments of loaded partitions that lie below their cold end. */
function coveredSegments({ deps: { host, tiered } }: FaultScene): readonly string[] {
  return tiered().flatMap(({ partition, topicId }) => {
    const owner = host.opened?.broker.partitions.find(topicId as TopicId, partition);
    const coldEnd = owner?.tiered?.cold.endOffset ?? 0;
    const bases = [...(owner?.log.segments() ?? [])].map(({ baseOffset }) => baseOffset);
    const covered = bases.filter((_, i) => (bases[i + 1] ?? Number.POSITIVE_INFINITY) <= coldEnd);
    const digits = covered.map((base) => String(base).padStart(20, "0"));
    return digits.map((name) => `partitions/${topicId}-${partition}/${name}.log`);
  });
}

/** One bit of every byte but those of the leader epochs, which nothing checks. */
function checkedBits(bytes: Uint8Array): readonly number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bits: number[] = [];
  let next = 0;
  let begin = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    if (at === next && at + lengthEnd <= bytes.length) {
      begin = at;
      next = at + lengthEnd + Math.max(0, view.getInt32(at + lengthEnd - 4));
    }
    const field = at - begin;
    if (field < lengthEnd || field >= lengthEnd + 4) bits.push(at * 8 + (at % 8));
  }
  return bits;
}

/** A batch begins with its offset and its length, which counts what follows; then the epoch. */
const lengthEnd = 12;

/** Lives so short that none of them writes a checkpoint: more of them than a head has sources. */
function shortLives(scene: FaultScene): void {
  const { host, world } = scene.deps;
  const next = (lives: number): void => {
    if (lives === 0 || scene.isOver) return;
    world.clock.after(world.between(100, 900), () => {
      if (host.state === "up") {
        host.table.add("short life", host.state);
        scene.kill();
      }
      next(lives - 1);
    });
  };
  next(world.between(5, 9));
}
