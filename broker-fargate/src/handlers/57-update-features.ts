/**
 * UpdateFeatures v0–v2 (KIP-584, KIP-1022): raises or lowers the level of `millrace.version` that
 * all brokers write. All that a request asks is done, or nothing of it; any broker serves it.
 *
 * Path: the cluster reads the level, leadership and its members strongly, and decides → one
 * transaction writes the level, and leadership in its form → the answer leaves when that is durable;
 * the other brokers see it within a poll. A refusal is the answer of the whole request, in every
 * version, as Kafka gives it; v2 has no other answer, v0 and v1 name each feature that is as asked.
 *
 * Of version 0 an allowed downgrade allows raising as well. A safe downgrade and an unsafe one are
 * the same: there is no level whose lowering loses anything.
 */
import type { FeatureUpdate } from "@millrace/core";
import {
  ApiKey,
  ErrorCode,
  type UpdateFeaturesRequest,
  type FeatureUpdateKey,
  type UpdateFeaturesResponseInput,
} from "@millrace/wire";
import type { FeaturesOutcome } from "../cluster/cluster.ts";
import { errorMessage } from "./error-message.ts";
import type { Handler } from "./handler.ts";
import { type ClusterHolder, success, unavailable, type Verdict } from "./topic-outcome.ts";

const upgradeType = { upgrade: 1, safeDowngrade: 2, unsafeDowngrade: 3 } as const;

export function updateFeaturesHandler(
  broker: ClusterHolder,
): Handler<UpdateFeaturesRequest, UpdateFeaturesResponseInput> {
  return {
    apiKey: ApiKey.UpdateFeatures,
    versions: { min: 0, max: 2 },
    handle: async ({ featureUpdates, validateOnly }) => {
      const updates = featureUpdates.map(updateOf);
      const intent = validateOnly ? "check" : "perform";
      const outcome = await broker.cluster.updateFeatures(updates, intent);
      const results = featureUpdates.map(({ feature }) => ({ feature, ...success }));
      const isDone = outcome.kind === "done";
      return { throttleTimeMs: 0, ...verdictOf(outcome), results: isDone ? results : [] };
    },
  };
}

function updateOf(update: FeatureUpdateKey): FeatureUpdate {
  const { feature, maxVersionLevel: level } = update;
  return {
    feature,
    level,
    direction: update.allowDowngrade ? "any" : directionOf(update.upgradeType),
  };
}

function directionOf(code: number): FeatureUpdate["direction"] {
  switch (code) {
    case upgradeType.upgrade:
      return "upgrade";
    case upgradeType.safeDowngrade:
    case upgradeType.unsafeDowngrade:
      return "downgrade";
    default:
      return "unknown";
  }
}

function verdictOf(outcome: FeaturesOutcome): Verdict {
  switch (outcome.kind) {
    case "done":
      return success;
    case "unavailable":
      return unavailable;
    case "refused": {
      const isInvalid = outcome.reason === "invalid";
      return {
        errorCode: isInvalid ? ErrorCode.INVALID_UPDATE_VERSION : ErrorCode.FEATURE_UPDATE_FAILED,
        errorMessage: errorMessage(outcome.message),
      };
    }
  }
}
