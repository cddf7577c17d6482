/**
 * Drives kcat (librdkafka, as Debian ships it): prints the transcript that test/compat/scenarios.md
 * describes. kcat has no admin calls, so its topics are the broker's automatically created ones, of
 * one partition each.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";

const [bootstrap = "", prefix = ""] = process.argv.slice(2);
const WAIT_MS_MAX = 20_000;

interface Output {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function emit(at: string, fields: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ at, ...fields })}\n`);
}

function kcat(args: readonly string[], input = ""): Output {
  const { status, stdout, stderr } = spawnSync("kcat", ["-b", bootstrap, ...args], {
    input,
    encoding: "utf8",
    timeout: WAIT_MS_MAX,
  });
  return { exitCode: status, stdout, stderr };
}

/** What it says went wrong, without the parts that differ between brokers. */
function reasonsOf({ stderr }: Output): readonly string[] {
  const reasons = stderr.split("\n").filter((line) => line.includes("Broker: "));
  return reasons.map((line) => line.slice(line.indexOf("Broker: ")).replace(/ \(broker \d+\)/, ""));
}

function produce(at: string, args: readonly string[], input: string): void {
  const output = kcat(["-P", ...args], input);
  emit(at, { exitCode: output.exitCode, reasons: reasonsOf(output) });
}

/** The records of a topic as kcat's own JSON, without the time and the broker's id. */
function consume(at: string, args: readonly string[]): void {
  const output = kcat(["-C", "-e", "-q", "-J", ...args]);
  for (const line of output.stdout.split("\n").filter((text) => text !== "")) {
    const { ts, broker, ...record } = JSON.parse(line) as Record<string, unknown>;
    emit(at, {
      ...record,
      hasTime: typeof ts === "number",
      fromABroker: typeof broker === "number",
    });
  }
  emit(`${at}-end`, { exitCode: output.exitCode, reasons: reasonsOf(output) });
}

function codecs(): void {
  for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"]) {
    const topic = `${prefix}codec-${codec}`;
    const lines = Array.from({ length: 20 }, (_, i) => `key-${i}:${`value-${i};`.repeat(40)}\n`);
    produce(`codecs/${codec}`, ["-t", topic, "-K:", "-z", codec], lines.join(""));
    const { stdout } = kcat(["-C", "-e", "-q", "-t", topic, "-o", "beginning", "-K:"]);
    emit(`codecs/${codec}-consumed`, { intact: stdout === lines.join("") });
  }
}

function records(): void {
  const topic = ["-t", `${prefix}records`];
  const headers = ["-H", "h=1", "-H", "empty=", "-H", "null", "-H", "h=2"];
  produce("records/produced", [...topic, "-K:", ...headers], "k1:v1\n");
  produce("records/produced", topic, "v2\n");
  produce("records/produced", [...topic, "-K:", "-Z"], "k3:\n");
  produce("records/produced", [...topic, "-K:"], ":v4\n");
  produce("records/produced", [...topic, "-K:"], "clé:välue ☃\n");
  produce("records/produced", [...topic, "-p", "0", "-X", "enable.idempotence=true"], "v6\nv7\n");
  consume("records/consumed", [...topic, "-o", "beginning"]);
}

function topics(): void {
  const described = JSON.parse(kcat(["-L", "-J"]).stdout) as {
    brokers: readonly unknown[];
    topics: readonly {
      topic: string;
      partitions: readonly { leader: number; replicas: readonly unknown[] }[];
    }[];
  };
  emit("topics/list", {
    brokers: described.brokers.length,
    topics: described.topics
      .filter(({ topic }) => topic.startsWith(prefix))
      .map(({ topic, partitions }) => [
        topic,
        partitions.map(({ leader, replicas }) => [leader >= 0, replicas.length]),
      ])
      .sort(),
  });
}

function seek(): void {
  const topic = `${prefix}seek`;
  produce("seek/produced", ["-t", topic], Array.from({ length: 10 }, (_, i) => `v${i}\n`).join(""));
  const offsetAt = (time: string): string => kcat(["-Q", "-t", `${topic}:0:${time}`]).stdout.trim();
  const times = {
    beginning: "-2",
    end: "-1",
    "before-first": "1700000000000",
    "after-last": "4000000000000",
  };
  for (const [step, time] of Object.entries(times))
    emit(`seek/${step}`, { answer: offsetAt(time) });
  consume("seek/from-7", ["-t", topic, "-o", "7"]);
  consume("seek/last-two", ["-t", topic, "-o", "-2"]);
  consume("seek/from-time", ["-t", topic, "-o", "s@1700000000000", "-c", "3"]);
  consume("seek/out-of-range", ["-t", topic, "-o", "77", "-X", "auto.offset.reset=error"]);
}

function errors(): void {
  consume("errors/consume-unknown-topic", ["-t", `${prefix}nowhere`]);
  const oversized = ["-t", `${prefix}records`, "-X", "message.max.bytes=3000000"];
  produce("errors/produce-over-broker-limit", oversized, `${"x".repeat(1_500_000)}\n`);
  produce(
    "errors/produce-invalid-topic",
    ["-t", `${prefix}bad name!`, "-X", "message.timeout.ms=3000"],
    "v\n",
  );
  produce("errors/produce-acks-0", ["-t", `${prefix}unacknowledged`, "-X", "acks=0"], "v\n");
}

/**
 * A running member of a group; what it consumed and how many topics' partitions its last assignment
 * had.
 */
class Member {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<void>;
  #stdout = "";
  #stderr = "";

  constructor(group: string, names: readonly string[]) {
    const options = [
      "auto.offset.reset=earliest",
      "heartbeat.interval.ms=200",
      "session.timeout.ms=6000",
      "partition.assignment.strategy=roundrobin",
    ];
    const args = [
      "-b",
      bootstrap,
      "-u",
      "-f",
      "%s\n",
      ...options.flatMap((option) => ["-X", option]),
    ];
    this.#child = spawn("kcat", [...args, "-G", group, ...names]);
    this.#child.stdout.on("data", (chunk: Buffer) => {
      this.#stdout += chunk.toString();
    });
    this.#child.stderr.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    this.#closed = new Promise((resolve) => this.#child.on("close", () => resolve()));
  }

  values(): readonly string[] {
    return this.#stdout.split("\n").filter((line) => line !== "");
  }

  partitionCount(): number {
    const last = this.#stderr.split("\n").findLast((line) => / (assigned|revoked):/.test(line));
    return last?.includes(" assigned:") === true
      ? (last.split(" assigned:")[1]?.split(",").length ?? 0)
      : 0;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** SIGTERM: kcat commits and leaves the group. */
  async leave(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#closed;
  }
}

const members: Member[] = [];
process.on("exit", () => {
  for (const member of members) member.kill();
});

function join(group: string, names: readonly string[]): Member {
  const member = new Member(group, names);
  members.push(member);
  return member;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function produceNumbered(names: readonly string[], from: number): void {
  for (const [index, name] of names.entries()) {
    const lines = Array.from({ length: 10 }, (_, i) => `${index}-${from + i}\n`).join("");
    const { exitCode, stderr } = kcat(["-P", "-t", name], lines);
    if (exitCode !== 0) throw new Error(`cannot produce: ${stderr}`);
  }
}

async function handover(): Promise<void> {
  const group = `${prefix}group`;
  const names = [1, 2, 3, 4, 5].map((number) => `${prefix}group-${number}`);
  produceNumbered(names, 0);
  const first = join(group, names);
  await until("the first records", () => first.values().length >= 50);
  emit("group-roundrobin/one-member", { partitions: first.partitionCount() });
  const second = join(group, names);
  const counts = (): readonly number[] => [first.partitionCount(), second.partitionCount()].sort();
  await until("both members", () => counts().join() === "2,3");
  emit("group-roundrobin/two-members", { partitions: counts() });
  produceNumbered(names, 10);
  await until(
    "records after the join",
    () => first.values().length + second.values().length >= 100,
  );
  await second.leave();
  await until("one member again", () => first.partitionCount() === 5);
  produceNumbered(names, 20);
  await until(
    "records after the leave",
    () => first.values().length + second.values().length >= 150,
  );
  await first.leave();
  const values = [...first.values(), ...second.values()];
  emit("group-roundrobin/handover", { records: values.length, distinct: new Set(values).size });
  produceNumbered(names, 30);
  const fresh = join(group, names);
  await until("the records after the commit", () => fresh.values().length >= 50);
  await fresh.leave();
  emit("group-roundrobin/resumed", { values: [...fresh.values()].sort() });
}

/**
 * A member that dies without a word: the group goes on without it once its session has timed out.
 */
async function expiry(): Promise<void> {
  const group = `${prefix}expiry`;
  const names = [1, 2].map((number) => `${prefix}expiry-${number}`);
  produceNumbered(names, 0);
  const first = join(group, names);
  await until("the first records", () => first.values().length >= 20);
  const second = join(group, names);
  await until("both members", () => first.partitionCount() === 1 && second.partitionCount() === 1);
  second.kill();
  await until("the survivor's partitions", () => first.partitionCount() === 2);
  produceNumbered(names, 10);
  await until("the survivor's records", () => first.values().length >= 40);
  await first.leave();
  emit("expiry/survivor", {
    records: first.values().length,
    distinct: new Set(first.values()).size,
  });
}

const scenarios: Readonly<Record<string, () => void | Promise<void>>> = {
  codecs,
  records,
  topics,
  seek,
  "group-roundrobin": handover,
  expiry,
  errors,
};
for (const [name, scenario] of Object.entries(scenarios)) {
  const startedAt = performance.now();
  try {
    await scenario();
  } catch (error) {
    process.exitCode = 1;
    emit(`${name}/failed`, {});
    console.error(name, error);
  }
  console.error(`${name}: ${Math.round(performance.now() - startedAt)} ms`);
}
// A group that failed may have left members running.
process.exit();
