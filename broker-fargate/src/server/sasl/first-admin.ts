import {
  changedUser,
  scramIterationsMin,
  scramMechanisms,
  stretched,
  userNameFault,
} from "@millrace/core";
import type { Broker } from "../../broker.ts";

const saltBytes = 24;

/**
 * Makes the user that the configuration names, for every mechanism, where there is none of this
 * name: so that a new cluster has somebody who can log in. One who is there keeps the password that
 * it has. Throws MetadataError.
 */
export async function makeFirstAdmin(
  {
    cluster,
    hashing,
    random,
  }: Pick<Broker, "hashing" | "random"> & {
    readonly cluster: Pick<Broker["cluster"], "users">;
  },
  admin: { readonly user: string; readonly password: string },
): Promise<"made" | "exists"> {
  const { users } = cluster;
  if (users.find(admin.user) !== undefined) return "exists";
  const secrets = await Promise.all(
    scramMechanisms.map(async (mechanism) => {
      const salt = random.bytes(saltBytes);
      const how = { password: admin.password, salt, iterations: scramIterationsMin };
      const saltedPassword = await stretched(hashing, mechanism, how);
      return { kind: "set", mechanism, saltedPassword, ...how } as const;
    }),
  );
  const outcome = await users.change(admin.user, (before, newStamp) => {
    if (before.credentials.size > 0) {
      return { kind: "refused", reason: "unacceptable", message: "there is such a user" };
    }
    const fault = userNameFault(admin.user);
    if (fault !== undefined) return fault;
    let user = before;
    for (const secret of secrets) {
      const changed = changedUser(hashing, user, secret, newStamp);
      if (changed.kind === "refused") return changed;
      user = changed.user;
    }
    return { kind: "changed", user };
  });
  if (outcome.kind === "unavailable") throw outcome.error;
  if (outcome.kind === "done") return "made";
  if (users.find(admin.user) !== undefined) return "exists";
  throw new Error(`millrace.admin.user: ${outcome.message}`);
}
