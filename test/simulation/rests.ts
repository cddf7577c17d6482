import type { Scene } from "./client.ts";

/** Clients rest most of the time, so that what comes with time comes, too. */
export async function restNowAndThen(scene: Scene): Promise<void> {
  const { world } = scene;
  while (!scene.isEnding) {
    await world.sleep(world.between(2_000, 5_000));
    const restMs = world.between(20_000, 60_000);
    scene.restsUntilMs = world.nowMs + restMs;
    await world.sleep(restMs);
  }
}
