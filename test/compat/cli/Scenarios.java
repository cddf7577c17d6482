import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** What is done with Kafka's command-line tools; test/compat/scenarios.md names the scenarios. */
final class Scenarios {
    private static final String TOPICS = "org.apache.kafka.tools.TopicCommand";
    private static final String CONFIGS = "kafka.admin.ConfigCommand";
    private static final String PRODUCER = "org.apache.kafka.tools.ConsoleProducer";
    static final String CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    private static final String OFFSETS = "org.apache.kafka.tools.GetOffsetShell";
    private static final String DELETE_RECORDS = "org.apache.kafka.tools.DeleteRecordsCommand";
    private static final String LOG_DIRS = "org.apache.kafka.tools.LogDirsCommand";
    static final String NONE = "";

    interface Steps {
        void run() throws Exception;
    }

    record Scenario(String name, Steps steps) {}

    private final ToolRunner tools;
    private final String prefix;

    private Scenarios(ToolRunner tools, String prefix) {
        this.tools = tools;
        this.prefix = prefix;
    }

    static List<Scenario> all(ToolRunner tools, String prefix) {
        Scenarios scenarios = new Scenarios(tools, prefix);
        return List.of(
                new Scenario("topics", scenarios::topics),
                new Scenario("configs", scenarios::configs),
                new Scenario("codecs", scenarios::codecs),
                new Scenario("records", scenarios::records),
                new Scenario("seek", scenarios::seek),
                new Scenario("delete-records", scenarios::deleteRecords),
                new Scenario("group-admin", new GroupScenarios(tools, prefix)::groupAdmin),
                new Scenario("log-dirs", scenarios::logDirs),
                new Scenario(
                        "partition-admin",
                        new PartitionScenarios(tools, prefix)::partitionAdmin),
                new Scenario("acls", new AclScenarios(tools, prefix)::acls));
    }

    private String name(String suffix) {
        return prefix + suffix;
    }

    private void topics() throws Exception {
        String topic = name("topics");
        String[] create = {
            "--create", "--topic", topic, "--partitions", "3", "--config", "retention.ms=3600000"
        };
        tools.show("topics/create", TOPICS, NONE, create);
        tools.show("topics/create-again", TOPICS, NONE, create);
        tools.show(
                "topics/create-if-not-exists",
                TOPICS,
                NONE,
                "--create",
                "--if-not-exists",
                "--topic",
                topic);
        tools.show(
                "topics/create-invalid-name",
                TOPICS,
                NONE,
                "--create",
                "--topic",
                name("bad name!"));
        tools.show("topics/list", TOPICS, NONE, "--list", "--topic", prefix + ".*");
        tools.showEachLine("topics/describe", TOPICS, "--describe", "--topic", topic);
        tools.showEachLine(
                "topics/describe-overrides",
                TOPICS,
                "--describe",
                "--topics-with-overrides",
                "--topic",
                topic);
        tools.show(
                "topics/describe-unavailable",
                TOPICS,
                NONE,
                "--describe",
                "--unavailable-partitions",
                "--topic",
                topic);
        tools.show(
                "topics/add-partitions",
                TOPICS,
                NONE,
                "--alter",
                "--topic",
                topic,
                "--partitions",
                "5");
        tools.show(
                "topics/add-partitions-fewer",
                TOPICS,
                NONE,
                "--alter",
                "--topic",
                topic,
                "--partitions",
                "2");
        tools.showEachLine("topics/describe-after-adding", TOPICS, "--describe", "--topic", topic);
        tools.show(
                "topics/describe-unknown", TOPICS, NONE, "--describe", "--topic", name("nowhere"));
        tools.show("topics/delete", TOPICS, NONE, "--delete", "--topic", topic);
        tools.show("topics/delete-again", TOPICS, NONE, "--delete", "--topic", topic);
        tools.show("topics/list-after-deleting", TOPICS, NONE, "--list", "--topic", prefix + ".*");
    }

    private void configs() throws Exception {
        String topic = name("configs");
        tools.run(TOPICS, NONE, "--create", "--topic", topic);
        String[] entity = {"--entity-type", "topics", "--entity-name", topic};
        tools.show(
                "configs/alter",
                CONFIGS,
                NONE,
                with(
                        entity,
                        "--alter",
                        "--add-config",
                        "retention.ms=60000,cleanup.policy=[compact,delete]"));
        tools.show("configs/describe", CONFIGS, NONE, with(entity, "--describe"));
        tools.showEachLine("configs/describe-all", CONFIGS, with(entity, "--describe", "--all"));
        tools.show(
                "configs/delete",
                CONFIGS,
                NONE,
                with(entity, "--alter", "--delete-config", "retention.ms"));
        tools.show("configs/describe-after-deleting", CONFIGS, NONE, with(entity, "--describe"));
        tools.show(
                "configs/delete-absent",
                CONFIGS,
                NONE,
                with(entity, "--alter", "--delete-config", "retention.ms"));
        tools.show(
                "configs/invalid-value",
                CONFIGS,
                NONE,
                with(entity, "--alter", "--add-config", "retention.ms=soon"));
        String[] brokers = {"--entity-type", "brokers", "--entity-default"};
        tools.show(
                "configs/alter-brokers",
                CONFIGS,
                NONE,
                with(brokers, "--alter", "--add-config", "log.retention.ms=70000000"));
        // Kafka answers before its brokers have learnt of it.
        Thread.sleep(2_000);
        tools.showEachLine("configs/describe-brokers", CONFIGS, with(brokers, "--describe"));
        tools.show(
                "configs/delete-of-brokers",
                CONFIGS,
                NONE,
                with(brokers, "--alter", "--delete-config", "log.retention.ms"));
        tools.show(
                "configs/describe-unknown",
                CONFIGS,
                NONE,
                "--entity-type",
                "topics",
                "--entity-name",
                name("nowhere"),
                "--describe");
    }

    private void codecs() throws Exception {
        String lines =
                IntStream.range(0, 20)
                        .mapToObj(i -> ("value-" + i + ";").repeat(40))
                        .collect(Collectors.joining("\n"));
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            String topic = name("codec-" + codec);
            tools.run(TOPICS, NONE, "--create", "--topic", topic);
            tools.show(
                    "codecs/" + codec,
                    PRODUCER,
                    lines,
                    "--topic",
                    topic,
                    "--compression-codec",
                    codec);
            ToolRunner.Run consumed =
                    tools.run(
                            CONSUMER,
                            NONE,
                            "--topic",
                            topic,
                            "--from-beginning",
                            "--max-messages",
                            "20",
                            "--timeout-ms",
                            "10000");
            if (!String.join("\n", consumed.stdoutLines()).equals(lines)) {
                throw new IllegalStateException(
                        "not what was produced with " + codec + ": " + consumed.stdoutLines());
            }
        }
    }

    private void records() throws Exception {
        String topic = name("records");
        tools.run(TOPICS, NONE, "--create", "--topic", topic, "--partitions", "2");
        String[] properties =
                Stream.of("parse.key=true", "parse.headers=true", "null.marker=NULL")
                        .flatMap(property -> Stream.of("--reader-property", property))
                        .toArray(String[]::new);
        String lines = "h:1,empty:\tk1\tv1\nh:2\tk2\tNULL\nNULL\tk3\tv3\nNULL\tk4\t";
        tools.show(
                "records/produced", PRODUCER, lines, with(properties, "--topic", topic, "--sync"));
        tools.show("records/offsets", OFFSETS, NONE, "--topic", topic);
        for (String line : tools.run(OFFSETS, NONE, "--topic", topic).stdoutLines()) {
            // topic:partition:end
            String[] fields = line.split(":");
            consume("records/consumed-" + fields[1], topic, fields[1], fields[2]);
        }
        tools.show(
                "records/produced-to-unknown-topic",
                PRODUCER,
                "v",
                "--topic",
                name("created"),
                "--sync");
        tools.showEachLine(
                "records/describe-created", TOPICS, "--describe", "--topic", name("created"));
    }

    private void consume(String at, String topic, String partition, String records)
            throws Exception {
        String[] which = {"--topic", topic, "--partition", partition, "--offset", "earliest"};
        String[] limits = {"--max-messages", records, "--timeout-ms", "10000"};
        tools.show(at, CONSUMER, NONE, with(printing(), with(which, limits)));
    }

    private void seek() throws Exception {
        String topic = name("records");
        tools.show("seek/default", OFFSETS, NONE, "--topic", topic);
        for (String time :
                List.of("earliest", "latest", "max-timestamp", "1700000000000", "4000000000000")) {
            tools.show("seek/" + time, OFFSETS, NONE, "--topic", name("created"), "--time", time);
        }
        tools.show(
                "seek/partitions",
                OFFSETS,
                NONE,
                "--topic-partitions",
                topic + ":1",
                "--time",
                "-1");
        tools.show("seek/unknown", OFFSETS, NONE, "--topic", name("nowhere"));
        tools.run(PRODUCER, "v1\nv2\nv3", "--topic", name("created"));
        tools.show(
                "seek/from-2",
                CONSUMER,
                NONE,
                with(
                        printing(),
                        "--topic",
                        name("created"),
                        "--partition",
                        "0",
                        "--offset",
                        "2",
                        "--max-messages",
                        "2",
                        "--timeout-ms",
                        "10000"));
    }

    private void deleteRecords() throws Exception {
        String topic = name("delete-records");
        tools.run(TOPICS, NONE, "--create", "--topic", topic, "--config", "retention.ms=-1");
        tools.run(PRODUCER, "v0\nv1\nv2\nv3", "--topic", topic, "--sync");
        for (int offset : List.of(2, 1, 9, -1)) {
            deleteBefore("delete-records/before-" + offset, topic, offset);
            tools.show("delete-records/earliest-" + offset, OFFSETS, NONE, earliest(topic));
        }
        String compacted = name("delete-records-compacted");
        String policy = "cleanup.policy=compact";
        tools.run(TOPICS, NONE, "--create", "--topic", compacted, "--config", policy);
        deleteBefore("delete-records/compacted", compacted, 0);
    }

    private void deleteBefore(String at, String topic, int offset) throws Exception {
        Path file = Files.createTempFile("delete-records", ".json");
        try {
            Files.writeString(
                    file,
                    "{\"version\":1,\"partitions\":[{\"topic\":\"%s\",\"partition\":0,\"offset\":%d}]}"
                            .formatted(topic, offset));
            tools.show(at, DELETE_RECORDS, NONE, "--offset-json-file", file.toString());
        } finally {
            Files.delete(file);
        }
    }

    private static String[] earliest(String topic) {
        return new String[] {"--topic", topic, "--time", "earliest"};
    }

    private void logDirs() throws Exception {
        tools.show(
                "log-dirs/describe", LOG_DIRS, NONE, "--describe", "--topic-list", name("created"));
        tools.show(
                "log-dirs/describe-unknown",
                LOG_DIRS,
                NONE,
                "--describe",
                "--topic-list",
                name("nowhere"));
    }

    private static String[] printing() {
        return Stream.of("key", "headers", "partition", "offset", "timestamp")
                .flatMap(field -> Stream.of("--formatter-property", "print." + field + "=true"))
                .toArray(String[]::new);
    }

    static String[] with(String[] some, String... more) {
        return Stream.concat(Stream.of(more), Stream.of(some)).toArray(String[]::new);
    }
}
