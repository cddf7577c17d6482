/**
 * The protocol of journals, heads, takeovers and moves, as core decides it, searched for a lost
 * record: `node test/model/run.ts [--depth N] [--states N] [--walks N] [--from SEED] [--events N]
 * [--bounds A,C,S,M,P] [--mutation NAME] [--mutations]`.
 *
 * Breadth first over two brokers and one slot: every state that at most A appends, C crashes, S
 * suspicions, M moves and P checkpoints reach, to a depth of N events. Then random walks of three
 * brokers and two slots. `--mutation` plants one deviation, `--mutations` each of them in turn, and
 * says how many states or walks it took to see it. Exits with 1 for a record lost where nothing was
 * planted, and for a deviation that nothing saw.
 */
import { parseArgs } from "node:util";
import { foundBy } from "./found-by.ts";
import { type Mutation, mutations } from "./mutations.ts";
import type { Found } from "./events.ts";
import { search } from "./search.ts";
import { walk } from "./walk.ts";

const { values } = parseArgs({
  options: {
    depth: { type: "string", default: "60" },
    states: { type: "string", default: "200000" },
    walks: { type: "string", default: "10000" },
    from: { type: "string", default: "1" },
    events: { type: "string", default: "1500" },
    bounds: { type: "string", default: "1,1,2,0,1" },
    mutation: { type: "string" },
    mutations: { type: "boolean", default: false },
  },
});
const mutation = mutations.find((known) => known === values.mutation);
if (mutation !== values.mutation) throw new Error(`mutations are:\n${mutations.join("\n")}`);
const [appends = 1, crashes = 0, suspicions = 1, moves = 0, checkpoints = 1] = values.bounds
  .split(",")
  .map(Number);
const bounds = { appends, crashes, suspicions, moves, checkpoints };

if (values.mutations) for (const one of mutations) seeDeviation(one);
else lookFor(mutation);

function lookFor(planted: Mutation | undefined): void {
  const searched = searchStates(planted, bounds);
  const reach = searched.isWhole ? "all" : `all to depth ${searched.depth}`;
  console.log(`${planted ?? "as decided"}: ${searched.states} states (${reach})`);
  const walked = walkMany(planted);
  console.log(
    `${planted ?? "as decided"}: ${walked.walks} walks, ${walked.events} events, ` +
      `${walked.acknowledged} acknowledged records`,
  );
  const found = searched.found ?? walked.found;
  for (const one of [searched.found, walked.found]) if (one !== undefined) show(one);
  if ((found === undefined) !== (planted === undefined)) process.exitCode = 1;
}

function seeDeviation(planted: Mutation): void {
  const within = foundBy[planted].bounds;
  const searched = within === undefined ? undefined : searchStates(planted, within);
  const walked = walkMany(planted);
  const states = searched?.found ? `${searched.states} states` : "not searched for";
  const walks = walked.found ? `walk ${walked.walks}` : `not in ${walked.walks} walks`;
  console.log(`${planted}: ${states}, ${walks}`);
  const isMissed = within !== undefined && searched?.found === undefined;
  if (walked.found === undefined || isMissed) process.exitCode = 1;
}

function searchStates(
  planted: Mutation | undefined,
  within: typeof bounds,
): ReturnType<typeof search> {
  const size = { brokers: 2, slots: 1 };
  const limits = { depth: Number(values.depth), statesMax: Number(values.states) };
  return search({ size, ...limits, bounds: within, mutation: planted });
}

function walkMany(planted: Mutation | undefined): {
  readonly walks: number;
  readonly events: number;
  readonly acknowledged: number;
  readonly found: Found | undefined;
} {
  const size = { brokers: 3, slots: 2 };
  const [from, count] = [Number(values.from), Number(values.walks)];
  let [events, acknowledged] = [0, 0];
  for (let seed = from; seed < from + count; seed += 1) {
    const walked = walk({ size, seed, events: Number(values.events), mutation: planted });
    for (const taken of Object.values(walked.taken)) events += taken;
    acknowledged += walked.acknowledged;
    const { found } = walked;
    if (found !== undefined) return { walks: seed - from + 1, events, acknowledged, found };
  }
  return { walks: count, events, acknowledged, found: undefined };
}

function show({ message, trace }: Found): void {
  console.log(`${message}\n  ${trace.map((event) => event.join(" ")).join("\n  ")}`);
}
