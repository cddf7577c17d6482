import type { Features } from "@millrace/core";
import type { DynamicConfigs } from "./dynamic-configs.ts";
import { Follower } from "./follower.ts";
import { type JoinedCluster, readFeaturesNow } from "./join-cluster.ts";
import type { StoreAccess } from "./persist.ts";
import type { Topics } from "./topics.ts";

/**
 * Follows topics, configs and features from where they were read at the join. A version that does
 * not cover newly finalised features gives its slots away, and gets no more.
 */
export function followCluster(deps: {
  readonly access: StoreAccess;
  readonly joined: JoinedCluster;
  readonly topics: Topics;
  readonly configs: DynamicConfigs;
  readonly onFeatures: (features: Features) => void;
}): Follower {
  const { access, joined, topics, configs, onFeatures } = deps;
  let { fault, level } = joined.features;
  const follower = new Follower({
    ...{ ...access, topics, configs, catalog: joined.catalog, version: joined.version },
    followFeatures: async () => {
      const before = fault;
      const now = await readFeaturesNow(access);
      ({ fault, level } = now);
      onFeatures(now.features);
      if (fault !== undefined && before === undefined) joined.membership.beginDrain();
    },
  });
  joined.follow({
    get version() {
      return follower.version;
    },
    follow: (seen) => follower.followSoon(seen),
    isCompatible: () => fault === undefined,
    level: () => level,
  });
  return follower;
}
