import { inlineHashing } from "@millrace/adapter-memory";
import { type AlterUserScramCredentialsRequest, ErrorCode } from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { type AdminTest, openAdminTest } from "../../../test/fixtures/admin-client.ts";
import type { ClusterHolder } from "./topic-outcome.ts";
import { describeUserScramCredentialsHandler } from "./50-describe-user-scram-credentials.ts";
import { alterUserScramCredentialsHandler } from "./51-alter-user-scram-credentials.ts";

type Upsertion = AlterUserScramCredentialsRequest["upsertions"][number];

let test: AdminTest;

beforeEach(async () => {
  test = await openAdminTest();
});

function alter(
  request: Partial<AlterUserScramCredentialsRequest>,
  superUsers?: ReadonlySet<string>,
) {
  const settings = { superUsers };
  const handler = (broker: ClusterHolder) =>
    alterUserScramCredentialsHandler({ ...broker, hashing: inlineHashing, settings });
  return test.ask(handler, { deletions: [], upsertions: [], ...request });
}

async function codes(request: Partial<AlterUserScramCredentialsRequest>) {
  const { results } = await alter(request);
  return Object.fromEntries(results.map(({ errorCode, user }) => [user, errorCode]));
}

async function described(names: readonly string[] | null) {
  const users = names?.map((name) => ({ name })) ?? null;
  return (await test.ask(describeUserScramCredentialsHandler, { users })).results;
}

const set = (name: string, over: Partial<Upsertion> = {}): Upsertion => ({
  ...{ name, mechanism: 2, iterations: 4096, salt: Uint8Array.of(1, 2) },
  saltedPassword: new Uint8Array(over.mechanism === 1 ? 32 : 64),
  ...over,
});

describe("credentials of SCRAM", () => {
  it("are changed by super users alone, where there are some", async () => {
    const request = { upsertions: [set("alice"), set("bob")] };
    const { results } = await alter(request, new Set(["User:root"]));
    expect(results).toMatchObject([
      { user: "alice", errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED },
      { user: "bob", errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED },
    ]);
    expect(await described(null)).toEqual([]);
    // The tests' own client.
    const allowed = await alter(request, new Set(["User:root", "User:ANONYMOUS"]));
    expect(allowed.results.map(({ errorCode }) => errorCode)).toEqual([0, 0]);
  });

  it("are set and described, without keys", async () => {
    expect(await codes({ upsertions: [set("alice"), set("bob", { iterations: 9000 })] })).toEqual({
      alice: ErrorCode.NONE,
      bob: ErrorCode.NONE,
    });
    expect(await codes({ upsertions: [set("alice", { mechanism: 1 })] })).toEqual({ alice: 0 });
    const all = await described(null);
    expect(all).toEqual(await described([]));
    expect(all).toMatchObject([
      {
        user: "alice",
        credentialInfos: [
          { mechanism: 1, iterations: 4096 },
          { mechanism: 2, iterations: 4096 },
        ],
      },
      { user: "bob", credentialInfos: [{ mechanism: 2, iterations: 9000 }] },
    ]);
    expect(JSON.stringify(all)).not.toMatch(/salt|key/iu);
  });

  it("are deleted, by mechanism", async () => {
    await alter({ upsertions: [set("alice")] });
    await alter({ upsertions: [set("alice", { mechanism: 1 })] });
    expect(await codes({ deletions: [{ name: "alice", mechanism: 2 }] })).toEqual({ alice: 0 });
    expect(await described(["alice"])).toMatchObject([{ credentialInfos: [{ mechanism: 1 }] }]);
    await alter({ deletions: [{ name: "alice", mechanism: 1 }] });
    expect(await described(["alice"])).toMatchObject([{ errorCode: ErrorCode.RESOURCE_NOT_FOUND }]);
  });

  it("are altered for every user on its own, and for nobody who is named twice", async () => {
    const { results } = await alter({
      deletions: [
        { name: "nobody", mechanism: 1 },
        { name: "twice", mechanism: 1 },
      ],
      upsertions: [set("twice"), set("alice"), set("weak", { iterations: 4095 })],
    });
    const shown = Object.fromEntries(
      results.map(({ errorCode, errorMessage, user }) => [user, [errorCode, errorMessage]]),
    );
    expect(shown).toEqual({
      nobody: [91, "Attempt to delete a user credential that does not exist"],
      twice: [92, "A user credential cannot be altered twice in the same request"],
      alice: [0, null],
      weak: [93, "Too few iterations"],
    });
    expect((await described(null)).map(({ user }) => user)).toEqual(["alice"]);
  });

  it("are refused in Kafka's words", async () => {
    const refusal = async (upsertion: Upsertion) => {
      const [result] = (await alter({ upsertions: [upsertion] })).results;
      return [result?.errorCode, result?.errorMessage];
    };
    expect(await refusal(set(""))).toEqual([93, "Username must not be empty"]);
    expect(await refusal(set("a", { iterations: 16_385 }))).toEqual([93, "Too many iterations"]);
    expect(await refusal(set("a", { mechanism: 9 }))).toEqual([33, "Unknown SCRAM mechanism"]);
  });

  it("are not described for a user who is named twice", async () => {
    await alter({ upsertions: [set("alice"), set("bob")] });
    const results = await described(["alice", "bob", "alice"]);
    expect(results).toMatchObject([
      { user: "alice", errorCode: ErrorCode.DUPLICATE_RESOURCE, credentialInfos: [] },
      { user: "bob", errorCode: 0 },
    ]);
  });
});
