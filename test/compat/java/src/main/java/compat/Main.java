package compat;

import org.apache.kafka.clients.admin.Admin;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * kafka-clients (Java) against a broker: prints the transcript that test/compat/scenarios.md
 * describes.
 */
public final class Main {
    public static void main(String[] args) {
        Map<String, Object> configs =
                Map.of(
                        "bootstrap.servers",
                        args[0],
                        "default.api.timeout.ms",
                        20_000,
                        "request.timeout.ms",
                        10_000);
        boolean complete = true;
        try (Admin admin = Admin.create(configs)) {
            Context context = new Context(args[0], args[1], admin);
            for (Map.Entry<String, Scenario> entry : scenarios().entrySet()) {
                complete &= entry.getValue().completes(entry.getKey(), context);
            }
        }
        System.exit(complete ? 0 : 1);
    }

    private static Map<String, Scenario> scenarios() {
        Map<String, Scenario> scenarios = new LinkedHashMap<>();
        scenarios.put("cluster", TopicScenarios::cluster);
        scenarios.put("topics", TopicScenarios::topics);
        scenarios.put("configs", ConfigScenarios::configs);
        scenarios.put("features", FeatureScenarios::features);
        scenarios.put("codecs", RecordScenarios::codecs);
        scenarios.put("records", RecordScenarios::records);
        scenarios.put("timestamps", RecordScenarios::timestamps);
        scenarios.put("seek", RecordScenarios::seek);
        scenarios.put("delete-records", DeleteRecordsScenarios::deleteRecords);
        scenarios.put("idempotent", RecordScenarios::idempotent);
        GroupScenarios.ASSIGNORS.forEach(
                (name, assignor) ->
                        scenarios.put(
                                "group-" + name,
                                context -> GroupScenarios.handover(context, name, assignor)));
        scenarios.put("static", GroupScenarios::staticMembers);
        scenarios.put("group-admin", GroupAdminScenarios::groupAdmin);
        scenarios.put("errors", ErrorScenarios::errors);
        scenarios.put("compaction", CompactionScenarios::compaction);
        scenarios.put("tiered", TieredScenarios::tiered);
        return scenarios;
    }
}
