/**
 * AlterUserScramCredentials v0 (KIP-554): sets and deletes what users log in by. Clients send the
 * salted password; what is stored is what SCRAM needs to check it, never more. Where there are
 * `super.users`, only they may: any other client could let itself in again after its credential went.
 *
 * Path: each user on its own, one that is named twice not at all → the cluster writes one item →
 * the answer leaves when it is durable and, within a bound, in force on every live broker. A deleted
 * credential lets nobody in from then on, and the connections that rest on it are closed.
 */
import {
  type AskedCredentialChange,
  changedUser,
  checkChange,
  type CredentialRefusal,
} from "@millrace/core";
import {
  type AlterUserScramCredentialsRequest,
  type AlterUserScramCredentialsResponseInput,
  ApiKey,
  ErrorCode,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import { errorMessage } from "./error-message.ts";
import type { Handler } from "./handler.ts";
import { inTurns } from "./in-turns.ts";
import { groupedBy, success, unavailable, type Verdict } from "./topic-outcome.ts";

type UserHolder = Pick<Broker, "cluster" | "clock" | "hashing"> & {
  readonly settings: Pick<Broker["settings"], "superUsers">;
};

interface Asked {
  readonly name: string;
  readonly change: AskedCredentialChange;
}

export function alterUserScramCredentialsHandler(
  broker: UserHolder,
): Handler<AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponseInput> {
  return {
    apiKey: ApiKey.AlterUserScramCredentials,
    versions: { min: 0, max: 0 },
    handle: async (request, { connection }) => {
      const byName = groupedBy(askedIn(request), ({ name }) => name);
      if (broker.settings.superUsers?.has(connection.principal) === false) {
        const results = [...byName.keys()].map((user) => ({ user, ...notAllowed }));
        return { throttleTimeMs: 0, results };
      }
      const results = await inTurns(broker.clock, [...byName], async ([user, asked]) => {
        const verdict = await alter(broker, user, asked);
        return { user, ...verdict };
      });
      return { throttleTimeMs: 0, results };
    },
  };
}

function askedIn({ deletions, upsertions }: AlterUserScramCredentialsRequest): readonly Asked[] {
  return [
    ...deletions.map(({ mechanism: code, name }): Asked => {
      return { name, change: { kind: "delete", code } };
    }),
    ...upsertions.map(({ iterations, mechanism: code, name, salt, saltedPassword }): Asked => {
      // Copies: the request's memory is used again.
      const secret = { salt: salt.slice(), saltedPassword: saltedPassword.slice() };
      return { name, change: { kind: "set", code, iterations, ...secret } };
    }),
  ];
}

async function alter(
  { cluster, hashing }: UserHolder,
  name: string,
  asked: readonly Asked[],
): Promise<Verdict> {
  const [first, second] = asked;
  if (first === undefined || second !== undefined) {
    const text = "A user credential cannot be altered twice in the same request";
    return { errorCode: ErrorCode.DUPLICATE_RESOURCE, errorMessage: text };
  }
  const checked = checkChange(name, first.change);
  if (checked.kind === "refused") return refusal(checked);
  const outcome = await cluster.users.change(name, (before, newStamp) =>
    changedUser(hashing, before, checked.change, newStamp),
  );
  switch (outcome.kind) {
    case "done":
      return success;
    case "refused":
      return refusal(outcome);
    case "unavailable":
      return unavailable;
  }
}

function refusal({ message, reason }: CredentialRefusal): Verdict {
  return { errorCode: codes[reason], errorMessage: errorMessage(message) };
}

const notAllowed: Verdict = {
  errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
  errorMessage: "Cluster authorization failed.",
};

const codes: Readonly<Record<CredentialRefusal["reason"], number>> = {
  unacceptable: ErrorCode.UNACCEPTABLE_CREDENTIAL,
  unknownMechanism: ErrorCode.UNSUPPORTED_SASL_MECHANISM,
  absent: ErrorCode.RESOURCE_NOT_FOUND,
  tooManyUsers: ErrorCode.POLICY_VIOLATION,
};
