/**
 * DescribeUserScramCredentials v0 (KIP-554): which mechanisms users can log in by, and how many
 * iterations each took; all users where none is named. From memory; never a key or a salt.
 */
import { type ScramMechanism, scramMechanisms, scramTraits, type User } from "@millrace/core";
import {
  ApiKey,
  type DescribeUserScramCredentialsRequest,
  type DescribeUserScramCredentialsResponseInput,
  type DescribeUserScramCredentialsResult,
  ErrorCode,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import { errorMessage } from "./error-message.ts";
import type { Handler } from "./handler.ts";

type Result = DescribeUserScramCredentialsResult;

export function describeUserScramCredentialsHandler(
  broker: Pick<Broker, "cluster">,
): Handler<DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponseInput> {
  return {
    apiKey: ApiKey.DescribeUserScramCredentials,
    versions: { min: 0, max: 0 },
    handle: ({ users }) => ({
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      results: resultsOf(broker, users?.map(({ name }) => name) ?? []),
    }),
  };
}

function resultsOf({ cluster }: Pick<Broker, "cluster">, names: readonly string[]): Result[] {
  if (names.length === 0) return cluster.users.list().map(described);
  const times = new Map<string, number>();
  for (const name of names) times.set(name, (times.get(name) ?? 0) + 1);
  return [...times].map(([name, count]) => {
    if (count > 1) {
      const errorCode = ErrorCode.DUPLICATE_RESOURCE;
      const text = "Cannot describe SCRAM credentials for the same user twice in a single request";
      return refused(name, { errorCode, text });
    }
    const user = cluster.users.find(name);
    if (user !== undefined) return described(user);
    const errorCode = ErrorCode.RESOURCE_NOT_FOUND;
    return refused(name, {
      errorCode,
      text: "Attempt to describe a user credential that does not exist",
    });
  });
}

function described({ credentials, name }: User): Result {
  const mechanisms = scramMechanisms.filter((mechanism) => credentials.has(mechanism));
  const shown = (mechanism: ScramMechanism): Result["credentialInfos"][number] => ({
    mechanism: scramTraits[mechanism].code,
    iterations: credentials.get(mechanism)?.keys.iterations ?? 0,
  });
  const credentialInfos = mechanisms.map(shown);
  return { user: name, errorCode: ErrorCode.NONE, errorMessage: null, credentialInfos };
}

function refused(
  user: string,
  { errorCode, text }: { readonly errorCode: number; readonly text: string },
): Result {
  return { user, errorCode, errorMessage: errorMessage(`${text}: ${user}`), credentialInfos: [] };
}
