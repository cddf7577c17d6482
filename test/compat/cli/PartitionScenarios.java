import java.nio.file.Files;
import java.nio.file.Path;

/** kafka-leader-election, kafka-reassign-partitions and kafka-client-metrics, which ask first. */
final class PartitionScenarios {
    private static final String TOPICS = "org.apache.kafka.tools.TopicCommand";
    private static final String ELECTION = "org.apache.kafka.tools.LeaderElectionCommand";
    private static final String REASSIGN =
            "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
    private static final String CLIENT_METRICS = "org.apache.kafka.tools.ClientMetricsCommand";

    private final ToolRunner tools;
    private final String prefix;

    PartitionScenarios(ToolRunner tools, String prefix) {
        this.tools = tools;
        this.prefix = prefix;
    }

    void partitionAdmin() throws Exception {
        String topic = prefix + "partition-admin";
        tools.run(TOPICS, Scenarios.NONE, "--create", "--topic", topic, "--partitions", "2");
        for (String type : new String[] {"preferred", "unclean"}) {
            elect(type, topic, "1");
        }
        elect("preferred", topic, "9");
        elect("preferred", prefix + "nowhere", "0");
        tools.show(
                "partition-admin/elect-all",
                ELECTION,
                Scenarios.NONE,
                "--election-type",
                "preferred",
                "--all-topic-partitions");
        tools.show("partition-admin/reassignments", REASSIGN, Scenarios.NONE, "--list");
        verify(topic);
        tools.show("partition-admin/client-metrics", CLIENT_METRICS, Scenarios.NONE, "--list");
        tools.show(
                "partition-admin/client-metrics-unknown",
                CLIENT_METRICS,
                Scenarios.NONE,
                "--describe",
                "--name",
                prefix + "nowhere");
    }

    private void elect(String type, String topic, String partition) throws Exception {
        String which = topic.substring(prefix.length());
        tools.show(
                "partition-admin/elect-" + type + "-" + which + "-" + partition,
                ELECTION,
                Scenarios.NONE,
                "--election-type",
                type,
                "--topic",
                topic,
                "--partition",
                partition);
    }

    /** Both brokers of the lane have the id 1, so both partitions are where the plan wants them. */
    private void verify(String topic) throws Exception {
        Path plan = Files.createTempFile("reassign", ".json");
        try {
            String partition = "{\"topic\":\"%s\",\"partition\":%d,\"replicas\":[1]}";
            Files.writeString(
                    plan,
                    "{\"version\":1,\"partitions\":[%s,%s]}"
                            .formatted(
                                    partition.formatted(topic, 0), partition.formatted(topic, 1)));
            tools.show(
                    "partition-admin/reassignments-verified",
                    REASSIGN,
                    Scenarios.NONE,
                    "--reassignment-json-file",
                    plan.toString(),
                    "--verify",
                    "--preserve-throttles");
        } finally {
            Files.delete(plan);
        }
    }
}
