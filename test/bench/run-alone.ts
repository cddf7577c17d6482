/** A figure's script run by itself: `node test/bench/figures/NAME.ts [--runs 3] [--quick]`. */
import type { Figure } from "./figure.ts";
import { measureFigures, readFlags } from "./session.ts";

export async function runAlone(figure: Figure): Promise<void> {
  const flags = readFlags(process.argv.slice(2));
  process.exitCode = (await measureFigures([figure], flags)) === 0 ? 0 : 1;
}
