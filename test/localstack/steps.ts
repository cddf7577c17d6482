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

export function equal(found: unknown, wanted: unknown): void {
  if (!Object.is(found, wanted)) {
    throw new Error(`wanted ${JSON.stringify(wanted)}, found ${JSON.stringify(found)}`);
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
    const said = await run().then(
      () => "served",
      (error: unknown) => causes(error).join(" ← "),
    );
    if (/authenticat/iu.test(said)) return;
    if (performance.now() > endsAt) throw new Error(`wanted a refused login, found: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, betweenMs));
  }
}

function causes(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [String(error)];
  return [`${error.name}: ${error.message}`, ...(error.cause ? causes(error.cause) : [])];
}
