/** Loaded into the broker under attack before its own code: on SIGUSR2 it collects all garbage. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");
if (typeof collect !== "function") throw new Error("V8 has no gc()");
process.on("SIGUSR2", () => collect());
