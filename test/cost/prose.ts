/** What docs/cost.md says around its tables. */
import { requestBill } from "./bill.ts";
import { type Counts, noCounts } from "./counts.ts";
import type { Prices } from "./prices.ts";
import { journalPutsPerHour } from "./rules.ts";
import type { Counted } from "./report.ts";
import type { Measured } from "./scenarios.ts";

export function legend({ hoursPerMonth, noted, region }: Prices): string {
  return `\`\`\`sh
npm run cost
\`\`\`

Made by \`test/cost\`: brokers of one cluster, with all of a broker's code, on virtual time over stores in memory, written to
through the handlers. What they ask of the two ports is counted as S3 and DynamoDB bill it (\`MeteredObjects\`,
\`MeteredMetadataStore\`), from when nothing starts any more, and carried on to an hour. Nothing fails meanwhile, and each
request is tried once. Prices: [cost-prices.json](cost-prices.json), list prices of ${region} as noted on ${noted} (to be checked
against the pages before they are quoted), on demand, without discounts and free tiers; ${hoursPerMonth} hours make a month.
\`test/cost/cost.test.ts\` holds the counts to bounds.

PUT counts every request that S3 bills so: the parts of an upload, its beginning and its end. A unit is DynamoDB's request unit on
demand: a strong read of up to 4 KB, a write of up to 1 KB; in a transaction everything costs twice, a check included. DELETE is
free. "By the rules": 100 MB/s from the count at 10 MB/s, checkpoints and segments by the bytes, the journal by its
own rule (ten objects a second, or one for each 8 MiB above that); 100,000 partitions on the straight line through the counts
for 1,000 and 10,000. One process does not write 100 MB/s: the month below spreads them. A group's row has its
coordinator alone, and no records; the Streams application has four threads, which commit every 100 ms. Readers at the
end of the log are served from memory or disk; of what only S3 has, each MiB is a GET.`;
}

/** Each with what it costs as it is, and only as long as it does. */
export function ideas(counted: Counted, prices: Prices): string {
  const dollars = (counts: Partial<Counts>): string =>
    `$ ${requestBill({ ...noCounts, ...counts }, prices).total.toFixed(2)}`;
  return [
    lingerIdea(dollars),
    ...commitIdeas(counted, dollars),
    looksIdea(counted.idleThree, dollars),
    checkpointsIdea(counted.tenMegabytes, dollars),
  ].join("\n");
}

type Dollars = (counts: Partial<Counts>) => string;

function lingerIdea(dollars: Dollars): string {
  const puts = journalPutsPerHour(0);
  const seldom = 2.5;
  return `- **The journal's linger.** From ten records a second on, a broker puts ten objects a second, whatever it is written:
  ${dollars({ puts })} a month for each broker, the largest line of a cluster that works. With a linger of 250 ms, for who can wait,
  it is ${dollars({ puts: puts / seldom })}; as a key of the broker it would be the best lever that an operator can have. Fewer,
  larger brokers are the other one: the journal is the broker's, not the partition's.`;
}

function commitIdeas({ group, streams }: Counted, dollars: Dollars): readonly string[] {
  const ofGroup = writesOf(group);
  const ofStreams = writesOf(streams);
  const { load } = streams.scenario;
  const perSecond = load.kind === "group" ? (load.members * 1_000) / load.commitEveryMs : 1;
  const perCommit = ofStreams / 3_600 / perSecond;
  const checked = `- **Commits in transactions.** A commit over items that are there is a transaction of its block and a check of the slot's
  head: ${perCommit.toFixed(0)} units, ${dollars({ writeUnits: ofGroup })} a month for the group, and ${dollars({ writeUnits: ofStreams })} for the Streams application. Were every
  block claimed when its slot is opened (one write each, by ownership rule 10), a commit would be one conditional
  write, a quarter of that. The block's version is not condition enough: a block that was deleted and made anew counts from 1
  again, and a write that takes effect late may find its version there. It takes a condition on who wrote the block last.`;
  const together = `- **Commits of one group together.** They share a write within 10 ms. Forty commits a second hardly meet; with 50 ms
  they would be half as many writes.`;
  return perCommit > 2 ? [checked, together] : [together];
}

function writesOf({ busiestPerHour }: Measured): number {
  return busiestPerHour.writes.get("slot") ?? 0;
}

function looksIdea({ perHour: { reads, writes } }: Measured, dollars: Dollars): string {
  const [heartbeats, versions] = [reads.get("heartbeat") ?? 0, reads.get("version") ?? 0];
  const written = writes.get("heartbeat") ?? 0;
  return `- **Heartbeats and looks.** Each of three idle brokers writes a heartbeat (${dollars({ writeUnits: written })} a month), reads all of them
  (${dollars({ readUnits: heartbeats })}) and the version (${dollars({ readUnits: versions })}) every 500 ms. With the version beside the heartbeats a look would be one
  read. The reads must stay strong, because evidence rests on them (ownership rule 15). A cluster without load could
  go down to one heartbeat a second: half the cost, and a failure noticed 2.5 s later.`;
}

function checkpointsIdea(measured: Measured, dollars: Dollars): string {
  const { all, puts } = measured.perHour;
  const others = all.puts - (puts.get("journal") ?? 0);
  const ratio = all.putBytes / 3_600 / measured.bytesPerSecond;
  return `- **Checkpoints.** At 10 MB/s, ${Math.round(others).toLocaleString("en-US")} PUTs an hour beside the journal (${dollars({ puts: others })} a month), and
  ${ratio.toFixed(1)} bytes put for each byte written: the journal once, tails in packs, and packs again until they make a segment. Bytes
  are free, their CPU time is not.`;
}
