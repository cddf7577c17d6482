/** A bar where somebody is looking, and nothing where not. */
import cliProgress from "cli-progress";

export interface Progress {
  advance(steps: number, message?: string): void;
  done(): void;
}

export function startProgress(what: string, max: number): Progress {
  if (!process.stdout.isTTY) {
    return { advance: () => undefined, done: () => undefined };
  }
  const format = "{bar} {value}/{total} {message}";
  // Ctrl-C is the program's: it has a cluster to delete.
  const bar = new cliProgress.SingleBar(
    { format, clearOnComplete: true, hideCursor: true, gracefulExit: false },
    cliProgress.Presets.shades_classic,
  );
  bar.start(max, 0, { message: what });
  return {
    advance: (steps, message = what) => bar.increment(steps, { message }),
    done: () => bar.stop(),
  };
}
