/** `node src/main.ts [BOOTSTRAP]`: replays each data set, and lets a group compute an answer. */
import { answerByGroup } from "./answer.ts";
import { dataSets } from "./data-sets.ts";
import { replay } from "./replay.ts";

const bootstrap = process.argv[2] ?? "127.0.0.1:9092";
const run = Date.now().toString(36);
const partitions = 6;
const members = 3;

for (const dataSet of dataSets) {
  const topic = `${dataSet.name}-${run}`;
  const events = dataSet.events();
  const answer = dataSet.newAnswer();
  await replay(events, { bootstrap, topic, partitions });
  const group = `${topic}-readers`;
  await answerByGroup({ bootstrap, topic, group, members, events: events.length }, answer);
  console.log(
    `${dataSet.name}: ${events.length} events through ${topic}, read by ${members} members`,
  );
  for (const line of answer.lines()) console.log(`  ${line}`);
}
