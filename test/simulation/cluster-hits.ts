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
 * that is longer than any timeout, come at both sides of each named step. A member's disk goes with
 * its process: it is full and it rots while the broker runs, and nothing else of it can be hurt.
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
  "disk full": ["write segment"],
  "bit flip": ["segment"],
  truncation: ["segment"],
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

const goesWithTheProcess = "a member's files are a cache of one life, which its next one removes";
const damagedBetweenLives = `${goesWithTheProcess}: what is damaged between two lives is nobody's`;
const cannot: ExpectedHits["cannot"] = [
  { fault: "stale read", step: "any", reason: "brokers read strongly, and nothing else" },
  { fault: "power loss", step: "any", reason: goesWithTheProcess },
  { fault: "torn write", step: "segment", reason: goesWithTheProcess },
  {
    fault: "bit flip",
    step: "index, timeindex, snapshot",
    reason: damagedBetweenLives,
  },
  {
    fault: "truncation",
    step: "index, timeindex, snapshot",
    reason: damagedBetweenLives,
  },
];

export const clusterHits: ExpectedHits = { hits, cannot };
