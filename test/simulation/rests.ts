import type { Scene } from "./client.ts";

/**
 * Clients rest most of the time, so that what comes with time comes, too. Those of a cluster are at
 * work for longer: until others have taken over from who died meanwhile.
 */
export async function restNowAndThen(scene: Scene): Promise<void> {
  const { host, world } = scene;
  const [workMsMin, workMsMax] = host.are === "several" ? [4_000, 10_000] : [2_000, 5_000];
  while (!scene.isEnding) {
    await world.sleep(world.between(workMsMin, workMsMax));
    const restMs = world.between(20_000, 60_000);
    scene.restsUntilMs = world.nowMs + restMs;
    await world.sleep(restMs);
  }
}
