/** Who is let in at the listener of clients (SASL_SSL), and who is not, or not any more. */
import { aloneHeartbeatMs } from "@millrace/core";
import { ApiKey } from "@millrace/wire";
import { connect } from "../../sdk/src/index.ts";
import { BareClient } from "./bare-client.ts";
import { java, type Login, type Mechanism, readAll, sdkClient, sendAll } from "./clients.ts";
import { endedConnection, equal, refusedLogin, step, until } from "./steps.ts";

const mechanisms: readonly Mechanism[] = ["SCRAM-SHA-512", "PLAIN"];
/** A broker that is alone looks as seldom as this for what the control plane wrote. */
const deletedMsMax = aloneHeartbeatMs + 5_000;
/** For a client that finds its connection ended to make another one. */
const againMsMax = 2_000;

interface Inside {
  readonly login: Login;
  readonly topic: string;
  /** Of Java's processes. */
  readonly folder: string;
}

export async function logIn({ folder, login, topic }: Inside): Promise<void> {
  await step(
    "Java's client produces and consumes with it, by SCRAM-SHA-512 and PLAIN",
    async () => {
      equal(
        await java(login, folder, ["SCRAM-SHA-512", topic, "produce", "java-1", "java-2"]),
        "sent",
      );
      equal(await java(login, folder, ["PLAIN", topic, "consume", "3"]), "first java-1 java-2");
    },
  );
  await step("the SDK reads what Java wrote", () => readsWhatWasSent(login, topic));
  await step("without the right password nobody is served", async () => {
    const wrong = { ...login, password: `${login.password.slice(0, -1)}!` };
    for (const mechanism of mechanisms)
      await refusedEverywhere(wrong, mechanism, { folder, topic });
  });
  await step("without a login nobody is served, by TLS or in the clear", async () => {
    const { brokers, ca } = login;
    for (const security of ["SSL", "PLAINTEXT"] as const) {
      const tls = security === "SSL" ? { tls: { ca } } : {};
      await using client = connect({ brokers, ...tls });
      await endedConnection(() => client.admin.listTopics());
      const bare = new BareClient(login, security);
      equal(await servedOrClosed(bare), "closed");
      // The broker is there: it is not the network that served nobody.
      await readsWhatWasSent(login, topic);
    }
  });
}

/** Once each, and nothing of those who were refused. */
export async function readsWhatWasSent(login: Login, topic: string): Promise<void> {
  const values = (await readAll(login, topic)).map(({ value }) => value);
  equal(values.toSorted().join(" "), "first java-1 java-2");
}

export async function takeCredential(
  { folder, login, topic }: Inside,
  deleteIt: () => Promise<unknown>,
): Promise<void> {
  await using scram = sdkClient(login, "SCRAM-SHA-512");
  await using plain = sdkClient(login, "PLAIN");
  const bare = new BareClient(login, "SSL");
  try {
    await step("who was let in is out when the credential is deleted", async () => {
      await bare.logIn(login);
      for (const kept of [scram, plain]) await kept.admin.listTopics();
      equal(await servedOrClosed(bare), "served");
      await deleteIt();
      const startedAt = performance.now();
      await until("an idle connection is ended", () => bare.isClosed, { withinMs: deletedMsMax });
      const ms = (performance.now() - startedAt).toFixed(0);
      for (const kept of [scram, plain]) {
        await refusedLogin(() => kept.admin.listTopics(), { withinMs: againMsMax });
      }
      process.stdout.write(`     ${ms} ms after the deletion the kept connections were ended\n`);
    });
  } finally {
    bare.end();
  }
  await step("and stays out, by SCRAM-SHA-512 and PLAIN", async () => {
    for (const mechanism of mechanisms)
      await refusedEverywhere(login, mechanism, { folder, topic });
  });
}

async function refusedEverywhere(
  login: Login,
  mechanism: Mechanism,
  { folder, topic }: Pick<Inside, "folder" | "topic">,
): Promise<void> {
  await refusedLogin(() => sendAll(login, topic, ["never"], mechanism));
  const said = await java(login, folder, [mechanism, topic, "produce", "never"]);
  equal(said, "SaslAuthenticationException");
}

async function servedOrClosed(client: BareClient): Promise<"served" | "closed"> {
  const answer = await client.ask(ApiKey.Metadata, { topics: [] });
  return answer === "closed" ? answer : "served";
}
