package compat;

import static compat.Transcript.attempt;
import static compat.Transcript.emit;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.FeatureMetadata;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.FeatureUpdate.UpgradeType;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;

import java.util.Map;
import java.util.TreeMap;

/**
 * Finalised features. Which there are differs from broker to broker, so the steps take one that
 * could be lowered and stay finalised; nothing is changed.
 */
final class FeatureScenarios {
    private FeatureScenarios() {}

    static void features(Context context) throws Exception {
        FeatureMetadata known = context.admin().describeFeatures().featureMetadata().get();
        String feature = aFeature(known);
        short level = known.finalizedFeatures().get(feature).maxVersionLevel();
        short supported = known.supportedFeatures().get(feature).maxVersion();
        emit(
                "features/describe",
                "epochIsSet",
                known.finalizedFeaturesEpoch().isPresent(),
                "levelIsSupported",
                level <= supported);
        attempt("features/unknown", () -> check(context, "nothing", 1, UpgradeType.UPGRADE));
        attempt("features/same", () -> check(context, feature, level, UpgradeType.UPGRADE));
        attempt(
                "features/too-new",
                () -> check(context, feature, supported + 1, UpgradeType.UPGRADE));
        attempt(
                "features/lower-by-an-upgrade",
                () -> check(context, feature, level - 1, UpgradeType.UPGRADE));
        attempt(
                "features/lower",
                () -> check(context, feature, level - 1, UpgradeType.SAFE_DOWNGRADE));
        attempt(
                "features/raise-by-a-downgrade",
                () -> check(context, feature, supported + 1, UpgradeType.SAFE_DOWNGRADE));
        attempt(
                "features/one-of-two-is-unknown",
                () ->
                        update(
                                context,
                                Map.of(
                                        feature,
                                        new FeatureUpdate(level, UpgradeType.UPGRADE),
                                        "nothing",
                                        new FeatureUpdate((short) 1, UpgradeType.UPGRADE))));
    }

    private static Object check(Context context, String feature, int level, UpgradeType type)
            throws Exception {
        return update(context, Map.of(feature, new FeatureUpdate((short) level, type)));
    }

    private static Object update(Context context, Map<String, FeatureUpdate> updates)
            throws Exception {
        Admin admin = context.admin();
        admin.updateFeatures(updates, new UpdateFeaturesOptions().validateOnly(true)).all().get();
        return updates.size();
    }

    private static String aFeature(FeatureMetadata known) {
        return new TreeMap<>(known.finalizedFeatures())
                .entrySet().stream()
                        .filter(entry -> !entry.getKey().equals("metadata.version"))
                        .filter(entry -> entry.getValue().maxVersionLevel() > 1)
                        .findFirst()
                        .orElseThrow()
                        .getKey();
    }
}
