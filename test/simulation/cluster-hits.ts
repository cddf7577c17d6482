import { clusterSteps } from "./cluster-steps.ts";
import type { ExpectedHits } from "./expected-hits.ts";

const calls: readonly string[] = [
  "idle",
  "put journal",
  "put checkpoint",
  "put data",
  "transact head",
  "transact heartbeat",
  "transact incarnation",
  "transact leadership",
  "get head",
  "range heartbeat",
  "start",
  "stop",
];
const puts: readonly string[] = ["put journal", "put checkpoint", "put data"];
const deletions: readonly string[] = ["delete journal", "delete checkpoint", "delete data"];
const reads: readonly string[] = ["read journal", "read checkpoint", "read data"];
const writes: readonly string[] = [
  "transact group",
  "transact head",
  "transact heartbeat",
  "transact incarnation",
  "transact leadership",
  "transact offsets",
  "transact segment",
  "transact version",
];

/**
 * Every case that faults must reach over a run of some 500 seeds of a cluster. A crash, and a pause
 * that is longer than any timeout, come at both sides of each named step. No others: a member's
 * disk goes with its process, so nothing of it is damaged, and nothing of it is synced.
 */
const hits: ExpectedHits["hits"] = {
  "crash before": clusterSteps,
  "crash after": clusterSteps,
  "pause before": clusterSteps,
  "pause after": clusterSteps,
  kill: calls,
  pause: calls,
  over: ["up", "starting"],
  "graceful stop": ["idle"],
  join: ["down"],
  leave: ["up"],
  "clock jump": ["up"],
  upgrade: ["up", "level finalised"],
  "journal object lost": ["up"],
  "client crash": ["producer", "plain", "consumer", "member"],
  "link reset": ["inRequest", "inReply", "betweenFrames"],
  "links cut: both": ["up"],
  "links cut: request": ["up"],
  "links cut: reply": ["up"],
  "store cut off": ["up"],
  "store replies cut off": ["up"],
  "slow store": ["up"],
  "stale store": ["up"],
  "store throttled": ["get head", "get version", "range heartbeat", ...writes],
  "store conflict": writes,
  "store requestLost": ["get version", "range heartbeat", ...writes],
  "store replyLost": writes,
  "store lateEffect": writes,
  "object store away": ["up"],
  "object store replies cut off": ["up"],
  "object slowDown": [...puts, ...deletions, ...reads],
  "object conflict": puts,
  "object requestLost": [...puts, ...deletions, ...reads],
  "object replyLost": [...puts, ...deletions],
  "object lateEffect": [...puts, ...deletions],
  "object slowRead": reads,
};

export const clusterHits: ExpectedHits = { hits, cannot: [] };
