/** Uses side work, leaves a thread idle and a call running, and has nothing else to do. */
import { WorkerPool } from "../src/worker-pool.ts";

const url = new URL("./side-tasks.ts", import.meta.url);
const pool = new WorkerPool({ entry: () => ({ kind: "file", url }) });
const waiting = setInterval(() => undefined, 1000);
const call = { urgency: "reply", told: "worked", bytes: [], bytesAre: "copied" } as const;
const { says } = await pool.run({ task: "echo", ...call });
clearInterval(waiting);
process.stdout.write(JSON.stringify(says));
void pool.run({ task: "spin", ...call });
