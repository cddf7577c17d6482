import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type MillraceClient, string } from "../../sdk/src/index.ts";
import { kafkaDistribution } from "../compat/peer.ts";
import { runOrThrow } from "../compat/processes.ts";

const cache = join(import.meta.dirname, "../../.cache/compat");
const javaMsMax = 120_000;
const readMsMax = 60_000;

export type Mechanism = "SCRAM-SHA-512" | "PLAIN";

/** As the control plane's answer says it. */
export interface Login {
  readonly brokers: readonly string[];
  readonly ca: string;
  readonly username: string;
  readonly password: string;
}

export function sdkClient(login: Login, mechanism: Mechanism = "SCRAM-SHA-512"): MillraceClient {
  const { brokers, ca, password, username } = login;
  return connect({ brokers, tls: { ca }, sasl: { mechanism, username, password } });
}

/** Sends the values one by one; those that were acknowledged. */
export async function sendAll(
  login: Login,
  topic: string,
  values: readonly string[],
  mechanism: Mechanism = "SCRAM-SHA-512",
): Promise<readonly string[]> {
  await using client = sdkClient(login, mechanism);
  const to = client.topic(topic, { value: string() });
  const acknowledged: string[] = [];
  for (const value of values) {
    await to.send({ value });
    acknowledged.push(value);
  }
  return acknowledged;
}

export interface FoundRecord {
  readonly partition: number;
  readonly offset: number;
  readonly value: string;
}

/** Every partition of the topic, from its beginning to where it ends now. */
export async function readAll(login: Login, topic: string): Promise<readonly FoundRecord[]> {
  await using client = sdkClient(login, "PLAIN");
  const found: FoundRecord[] = [];
  const ends = await client.admin.offsets(topic, "latest");
  const unread = new Map(
    ends.filter(({ offset }) => offset > 0).map((end) => [end.partition, end.offset]),
  );
  const signal = AbortSignal.timeout(readMsMax);
  const from = client.topic(topic, { value: string() });
  if (unread.size === 0) return found;
  try {
    for await (const { offset, partition, value } of from.consume({ from: "earliest", signal })) {
      found.push({ partition, offset, value });
      if (offset + 1 >= (unread.get(partition) ?? 0)) unread.delete(partition);
      if (unread.size === 0) break;
    }
  } catch (error) {
    // What did not come in time is missing in what is returned.
    if (!signal.aborted) throw error;
  }
  return found;
}

/** Java's own client; what it printed. */
export async function java(
  login: Login,
  folder: string,
  args: readonly [Mechanism, string, ...string[]],
): Promise<string> {
  const [mechanism, topic, ...verb] = args;
  const authority = join(folder, "authority.pem");
  writeFileSync(authority, login.ca);
  const libs = join(await kafkaDistribution(cache), "libs/*");
  const program = join(import.meta.dirname, "java/LoginClient.java");
  const jvm = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", libs, program];
  const who = [login.brokers.join(","), authority, mechanism, login.username, login.password];
  const command = { file: "java", args: [...jvm, ...who, topic, ...verb], cwd: folder };
  return (await runOrThrow(command, javaMsMax)).trim().split("\n").at(-1) ?? "";
}
