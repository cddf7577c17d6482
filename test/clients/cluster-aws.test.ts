/** `npm run cluster` over S3 and DynamoDB endpoints, given by flags: stand-ins of both. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, string } from "../../sdk/src/index.ts";
import { type StandIns, startStandIns } from "../cluster/stand-ins.ts";
import { ClusterCommand } from "../fixtures/cluster-command.ts";

const partitions = 6;
const half = 60;

let standIns: StandIns | undefined;
const cluster = new ClusterCommand();

beforeAll(async () => {
  standIns = await startStandIns();
}, 900_000);

afterAll(async () => {
  await cluster.end();
  await standIns?.stop();
});

/** As a user types them. */
function flags({ stores: { metadata, objects } }: StandIns): readonly string[] {
  return Object.entries({ metadata, objects }).flatMap(([name, store]) => {
    const { endpoint = "", region = "", uri = "" } = store ?? {};
    return [`--${name}`, uri, `--${name}-endpoint`, endpoint, `--${name}-region`, region];
  });
}

test("a cluster over S3 and DynamoDB endpoints goes on without a broker that was killed", async () => {
  if (standIns === undefined) throw new Error("there are no stand-ins");
  const run = await cluster.start("--brokers", "2", ...flags(standIns));
  // Neither hosted metadata nor objects below the directory.
  expect(cluster.pidFiles().toSorted()).toEqual(["broker-1.pid", "broker-2.pid"]);
  const client = connect({ brokers: [`127.0.0.1:${run.port}`, `127.0.0.1:${run.port + 1}`] });
  await client.admin.createTopic("lines", { partitions });
  const lines = client.topic("lines", { value: string() });
  const sent: string[] = [];
  const send = async (): Promise<void> => {
    const producer = client.producer();
    for (let i = 0; i < half; i += 1) {
      const value = `line ${sent.length}`;
      sent.push(value);
      await producer.send(lines, { value, partition: i % partitions });
    }
    await producer.close();
  };
  await send();
  process.kill(cluster.pidOf("broker-2"), "SIGKILL");
  await send();
  const seen = new Set<string>();
  for await (const { value } of lines.consume({ from: "earliest" })) {
    seen.add(value);
    if (seen.size === sent.length) break;
  }
  expect([...seen].toSorted()).toEqual(sent.toSorted());
  await client.close();
  expect(await cluster.ask("--stop")).toEqual([0, "the cluster stops\n"]);
  expect(await run.ended).toBe(0);
  expect(cluster.alive()).toEqual([]);
});
