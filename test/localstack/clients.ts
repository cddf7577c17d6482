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
): Promise<readonly string[]> {
  await using client = sdkClient(login);
  const to = client.topic(topic, { value: string() });
  const acknowledged: string[] = [];
  for (const value of values) {
    await to.send({ value });
    acknowledged.push(value);
  }
  return acknowledged;
}

/** Everything in the topic, until as many different values have come. */
export async function readAll(
  login: Login,
  topic: string,
  count: number,
): Promise<ReadonlySet<string>> {
  await using client = sdkClient(login, "PLAIN");
  const values = new Set<string>();
  const signal = AbortSignal.timeout(readMsMax);
  const from = client.topic(topic, { value: string() });
  try {
    for await (const { value } of from.consume({ from: "earliest", signal })) {
      values.add(value);
      if (values.size >= count) break;
    }
  } catch (error) {
    // What did not come in time is missing in what is returned.
    if (!signal.aborted) throw error;
  }
  return values;
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
