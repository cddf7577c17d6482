/**
 * Outages of partitions on virtual time, over stores as slow as S3 and DynamoDB are taken to be:
 *
 *     npm run cluster:outages -- [--kind kill,pause,fence,stop,move,scale-out] [--times 100]
 *       [--partitions 6] [--idle 0] [--seed 1]
 *
 * Prints a table. The same seed of one tree prints the same one, on any machine.
 */
import { parseArgs } from "node:util";
import { reportLines } from "../report.ts";
import { outagesOf } from "./outages.ts";
import { virtualFaults } from "./virtual-faults.ts";

/** So that a fault comes at any age of what the next checkpoint will hold. */
const restMsMax = 120_000;

const { values: flags } = parseArgs({
  options: {
    kind: { type: "string", default: virtualFaults.join(",") },
    times: { type: "string", default: "100" },
    partitions: { type: "string", default: "6" },
    idle: { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
  },
});
const kinds = flags.kind.split(",").map((name) => {
  const kind = virtualFaults.find((one) => one === name);
  if (kind === undefined) throw new Error(`${name} is none of ${virtualFaults.join(", ")}`);
  return kind;
});
const { acknowledged, rows } = await outagesOf({
  ...{ kinds, times: Number(flags.times), seed: Number(flags.seed) },
  ...{ partitions: Number(flags.partitions), idle: Number(flags.idle), restMsMax },
});
console.log(reportLines(rows).join("\n"));
console.log(`\n${acknowledged} acknowledged`);
