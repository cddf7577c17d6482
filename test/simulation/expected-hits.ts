import type { FaultTable, Side } from "./fault-table.ts";
import { namedSteps } from "./named-steps.ts";
import { sidesOf } from "./tier-faults.ts";

const whileRunning: readonly string[] = [
  "idle",
  "side work check-batches",
  "side work compaction-clean",
  "side work compaction-index",
  "side work examine-batch",
  "start",
  "stop",
  "sync journal",
  "sync reused journal",
  "sync segment",
  "syncDirectory folder",
  "syncDirectory journal",
  "transact head",
  "transact incarnation",
  "transact leadership",
  "transact offsets",
];
const storeWrites: readonly string[] = [
  "transact dirty",
  "transact head",
  "transact incarnation",
  "transact offsets",
  "transact topic",
];

const tierWrites: readonly string[] = ["put data", "put checkpoint"];
const tierReads: readonly string[] = ["read data", "read checkpoint"];

function stepsWith(side: Side): readonly string[] {
  return namedSteps.filter((step) => sidesOf(step).includes(side));
}

/** The cells of the table that a run must fill, and those that nothing can. */
export interface ExpectedHits {
  /** Steps, by fault. */
  readonly hits: Readonly<Record<string, readonly string[]>>;
  readonly cannot: readonly {
    readonly fault: string;
    readonly step: string;
    readonly reason: string;
  }[];
}

/** Every case that faults must reach over a run of some 200 seeds. */
export const expectedHits: ExpectedHits["hits"] = {
  kill: [
    ...whileRunning,
    "journal trim held",
    "put checkpoint",
    "put data",
    "read data",
    "sync cleaned",
    "transact dirty",
    "transact group",
    "transact segment",
    "transact topic",
  ],
  "power loss": whileRunning,
  "graceful stop": ["idle", "sync journal", "sync segment"],
  "failed start": ["start"],
  "disk full": [
    "resize journal",
    "write cleaned",
    "write segment",
    "write index",
    "write snapshot",
    "write epochs",
  ],
  "disk error": [
    "open segment",
    "read segment",
    "read index",
    "write journal",
    "write segment",
    "write index",
    "write cleaned",
    "sync journal",
    "sync segment",
  ],
  "bit flip": ["index", "segment", "timeindex", "snapshot"],
  truncation: ["index", "segment", "timeindex", "snapshot"],
  "side work death": ["check-batches", "compaction-clean", "compaction-index", "examine-batch"],
  "store throttled": [...storeWrites, "get head", "range group", "range incarnation"],
  "store conflict": storeWrites,
  "store requestLost": storeWrites,
  "store replyLost": [...storeWrites, "transact leadership"],
  "store lateEffect": storeWrites,
  "link reset": ["inRequest", "inReply", "betweenFrames"],
  "client crash": ["producer", "plain", "consumer", "member"],
  "clock jump": ["up", "down"],
  "crash before": stepsWith("before"),
  "crash after": stepsWith("after"),
  "lost log": ["local", "journal"],
  "object store away": ["up", "starting"],
  "object lost": ["error"],
  "object slowDown": [...tierWrites, ...tierReads, "delete data", "delete checkpoint"],
  "object conflict": tierWrites,
  "object requestLost": [...tierWrites, ...tierReads, "delete data"],
  "object replyLost": [...tierWrites, "delete data", "delete checkpoint"],
  "object lateEffect": [...tierWrites, "delete data"],
  "object slowRead": tierReads,
  "short life": ["up"],
};

export const aloneHits: ExpectedHits = {
  hits: expectedHits,
  cannot: [
    {
      ...{ fault: "crash before", step: "tail counted" },
      reason: "the step shows in the broker's memory alone; what comes before it is the naming",
    },
  ],
};

/** Zero is a failure where a hit can occur: the case is not tested. */
export function missingHits(
  table: FaultTable,
  expected: ExpectedHits["hits"] = expectedHits,
): readonly { readonly fault: string; readonly step: string }[] {
  return Object.entries(expected).flatMap(([fault, steps]) =>
    steps.filter((step) => table.hits(fault, step) === 0).map((step) => ({ fault, step })),
  );
}
