/**
 * A process of one function, as Lambda's own runtime is: it loads the bundle that is deployed, once,
 * and hands it one event after the other: node lambda-host.ts BUNDLE, with events over IPC.
 */
import { pathToFileURL } from "node:url";
import type { Context } from "aws-lambda";

export interface Invocation {
  readonly id: number;
  readonly event: unknown;
  readonly timeoutMs: number;
}

export type Outcome =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly error: string };

type Handler = (event: unknown, context: Partial<Context>) => Promise<unknown>;

const [bundle = ""] = process.argv.slice(2);
const loaded = import(pathToFileURL(bundle).href) as Promise<{ readonly handler: Handler }>;

async function invoke({ event, id, timeoutMs }: Invocation): Promise<Outcome> {
  const endsAt = performance.now() + timeoutMs;
  const context = {
    awsRequestId: `request-${id}`,
    getRemainingTimeInMillis: () => Math.max(0, endsAt - performance.now()),
  };
  try {
    const { handler } = await loaded;
    return { id, ok: true, value: await handler(event, context) };
  } catch (error) {
    return { id, ok: false, error: error instanceof Error ? (error.stack ?? "") : String(error) };
  }
}

process.on("message", (invocation: Invocation) => {
  invoke(invocation).then(
    (outcome) => process.send?.(outcome),
    (error: unknown) => {
      throw error;
    },
  );
});
