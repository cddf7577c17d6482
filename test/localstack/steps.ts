let done = 0;

/** Runs it and says so in a line; what it throws ends the run, with the step's name. */
export async function step<Result>(name: string, run: () => Promise<Result>): Promise<Result> {
  const startedAt = performance.now();
  try {
    const result = await run();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    process.stdout.write(`ok   ${name} (${seconds} s)\n`);
    done += 1;
    return result;
  } catch (error) {
    process.stdout.write(`FAIL ${name}\n`);
    throw error;
  }
}

export function stepsDone(): number {
  return done;
}

/** Who reads the run must not take for tried what was not. */
export function leaveOut(what: string): void {
  process.stdout.write(`left out: ${what}\n`);
}

export function equal(found: unknown, wanted: unknown): void {
  if (!Object.is(found, wanted)) {
    throw new Error(`wanted ${JSON.stringify(wanted)}, found ${JSON.stringify(found)}`);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const lookMs = 5;
const untilMsMax = 60_000;

/** Looks until it is so; throws where it is not in time. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  { withinMs = untilMsMax }: { readonly withinMs?: number } = {},
): Promise<void> {
  const endsAt = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > endsAt) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(lookMs);
  }
}

const betweenMs = 250;

/** It is refused at the login, now or by then. */
export async function refusedLogin(
  run: () => Promise<unknown>,
  { withinMs = 0 }: { readonly withinMs?: number } = {},
): Promise<void> {
  const endsAt = performance.now() + withinMs;
  for (;;) {
    const said = await outcomeOf(run);
    if (/authenticat/iu.test(said)) return;
    if (performance.now() > endsAt) throw new Error(`wanted a refused login, found: ${said}`);
    await sleep(betweenMs);
  }
}

/** Nothing is answered: the broker ends the connection of who should have logged in. */
export async function endedConnection(run: () => Promise<unknown>): Promise<void> {
  const said = await outcomeOf(run);
  if (!said.startsWith("ConnectionError")) {
    throw new Error(`wanted an ended connection, found: ${said}`);
  }
}

function outcomeOf(run: () => Promise<unknown>): Promise<string> {
  return run().then(
    () => "served",
    (error: unknown) => causes(error).join(" ← "),
  );
}

function causes(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [String(error)];
  return [`${error.name}: ${error.message}`, ...(error.cause ? causes(error.cause) : [])];
}
