import type { DynamicConfigs } from "./dynamic-configs.ts";
import { Follower } from "./follower.ts";
import type { JoinedCluster } from "./join-cluster.ts";
import type { OwnWrites } from "./own-writes.ts";
import type { StoreAccess } from "./persist.ts";
import type { Topics } from "./topics.ts";
import type { Users } from "./users.ts";

/** Follows topics, users, configs and features from where they were read at the join. */
export function followCluster(deps: {
  readonly access: StoreAccess;
  readonly joined: JoinedCluster;
  readonly topics: Topics;
  readonly configs: DynamicConfigs;
  readonly users: Users;
  readonly own: Pick<OwnWrites, "seenUpTo">;
}): Follower {
  const { access, joined, own, topics, configs, users } = deps;
  const follower = new Follower({
    ...{ ...access, topics, configs, users, catalog: joined.catalog, version: joined.version },
    followFeatures: () => joined.features.follow(access),
  });
  joined.follow({
    get version() {
      return own.seenUpTo;
    },
    follow: (seen) => follower.followSoon(seen),
  });
  return follower;
}
