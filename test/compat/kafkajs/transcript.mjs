/** Prints the transcript: one JSON object a line, "at" first. */

const WAIT_MS_MAX = 20_000;

export function emit(at, fields = {}) {
  process.stdout.write(`${JSON.stringify({ at, ...fields })}\n`);
}

/** The name in Kafka's table of errors, or the class of an error that the client itself raised. */
export function errorName(error) {
  if (Array.isArray(error.errors) && error.errors.length > 0) return errorName(error.errors[0]);
  if (Array.isArray(error.groups) && error.groups.length > 0)
    return errorName(error.groups[0].error);
  if (typeof error.type === "string") return error.type;
  if (error.cause instanceof Error) return errorName(error.cause);
  return error.name;
}

/** Emits the outcome of a call: NONE and its result, or the name of what it refused with. */
export async function attempt(at, call) {
  try {
    const result = await call();
    emit(at, result === undefined ? { error: "NONE" } : { error: "NONE", result });
  } catch (error) {
    emit(at, { error: errorName(error) });
  }
}

/** Waits until the condition holds; fails after 20 s. */
export async function until(what, condition) {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits after a change until Kafka's broker surely has it too: its controller answers first. */
export function letSpread() {
  return new Promise((resolve) => setTimeout(resolve, 200));
}

export function text(bytes) {
  return bytes === null || bytes === undefined ? null : bytes.toString();
}

/** Runs the scenarios in turn; one that fails is named in the transcript and in the exit code. */
export async function runScenarios(scenarios, session) {
  for (const [name, scenario] of Object.entries(scenarios)) {
    const startedAt = performance.now();
    try {
      await scenario(session);
    } catch (error) {
      process.exitCode = 1;
      emit(`${name}/failed`);
      console.error(name, error);
    }
    console.error(`${name}: ${Math.round(performance.now() - startedAt)} ms`);
  }
}
