import { DecoderTarget } from "./decoders/decoders.ts";
import { HandlerTarget } from "./handlers/handlers.ts";
import { ListenerTarget } from "./listener/listener.ts";
import { RecoveryTarget } from "./recovery/recovery.ts";
import type { Target } from "./target.ts";

/** Everything that can be fuzzed, by the name that `run.ts` takes. */
export const targets: readonly { readonly name: string; readonly open: () => Promise<Target> }[] = [
  { name: "decoders", open: () => DecoderTarget.all() },
  { name: "handlers", open: () => HandlerTarget.open() },
  { name: "listener", open: () => ListenerTarget.open() },
  { name: "recovery", open: () => Promise.resolve(new RecoveryTarget()) },
];
