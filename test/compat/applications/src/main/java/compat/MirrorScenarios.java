package compat;

import static compat.Transcript.emit;

import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.connect.mirror.MirrorClient;
import org.apache.kafka.connect.mirror.MirrorMaker;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * MirrorMaker 2 in its dedicated mode. Source and target are two names of the one broker: it has to
 * be able to be either.
 */
final class MirrorScenarios {
    private static final List<String> CONFIGS =
            List.of(
                    TopicConfig.CLEANUP_POLICY_CONFIG,
                    TopicConfig.RETENTION_MS_CONFIG,
                    TopicConfig.MAX_MESSAGE_BYTES_CONFIG);
    private static final Duration SHORT = Duration.ofSeconds(1);

    private final Context context;
    private final String source;
    private final String orders;
    private final String later;
    private final String group;

    private MirrorScenarios(Context context) {
        this.context = context;
        this.source = context.name("source");
        this.orders = context.name("mirrored");
        this.later = context.name("mirrored-later");
        this.group = context.name("mirrored-readers");
    }

    static void mirror(Context context) throws Exception {
        new MirrorScenarios(context).run();
    }

    private void run() throws Exception {
        context.createTopic(
                orders,
                3,
                Map.of(
                        TopicConfig.MAX_MESSAGE_BYTES_CONFIG,
                        "2000000",
                        TopicConfig.RETENTION_MS_CONFIG,
                        "3600000"));
        produce(orders, 3, 0, 90);
        commit(30);
        MirrorMaker first = start();
        try {
            untilMirrored(orders, 3, 90);
            show("mirror/first", orders, 3);
            untilTranslated(30);
            change();
            untilMirrored(orders, 5, 190);
            untilMirrored(later, 1, 10);
            Applications.until("the changed configs", () -> hasRetention("7200000"));
            show("mirror/changed", orders, 5);
            show("mirror/later", later, 1);
        } finally {
            stop(first);
        }
        produce(orders, 5, 190, 240);
        MirrorMaker second = start();
        try {
            untilMirrored(orders, 5, 240);
            show("mirror/restarted", orders, 5);
            emit("mirror/policies", "topics", internalPolicies());
        } finally {
            stop(second);
        }
    }

    private MirrorMaker start() {
        String target = context.name("target");
        String flow = source + "->" + target + ".";
        Map<String, String> configs = new HashMap<>();
        for (String cluster : List.of(source, target)) {
            configs.put(cluster + ".bootstrap.servers", context.bootstrap());
            configs.put(cluster + ".plugin.discovery", "service_load");
            configs.put(cluster + ".offset.flush.interval.ms", "500");
        }
        configs.put("clusters", source + "," + target);
        configs.put(flow + "enabled", "true");
        configs.put(target + "->" + source + ".emit.heartbeats.enabled", "false");
        configs.put(flow + "topics", orders + ".*");
        configs.put(flow + "groups", group);
        configs.put("heartbeats.replication.enabled", "false");
        configs.put("offset.lag.max", "0");
        configs.put("sync.group.offsets.enabled", "true");
        for (String topic :
                List.of("", "checkpoints.topic.", "heartbeats.topic.", "offset-syncs.topic.")) {
            configs.put(topic + "replication.factor", "1");
        }
        for (String store : List.of("offset", "status", "config")) {
            configs.put(store + ".storage.replication.factor", "1");
        }
        for (String interval :
                List.of(
                        "emit.checkpoints",
                        "emit.heartbeats",
                        "refresh.topics",
                        "refresh.groups",
                        "sync.topic.configs",
                        "sync.topic.acls",
                        "sync.group.offsets")) {
            configs.put(interval + ".interval.seconds", "1");
        }
        MirrorMaker maker = new MirrorMaker(configs);
        maker.start();
        return maker;
    }

    private static void stop(MirrorMaker maker) {
        maker.stop();
        maker.awaitStop();
    }

    private void produce(String topic, int partitions, int from, int to) throws Exception {
        context.produceNumbered(topic, partitions, from, to);
    }

    private void commit(long offset) throws Exception {
        context.admin()
                .alterConsumerGroupOffsets(
                        group,
                        Map.of(new TopicPartition(orders, 0), new OffsetAndMetadata(offset)))
                .all()
                .get();
    }

    /** More partitions, another retention, another topic: what MirrorMaker has to notice. */
    private void change() throws Exception {
        context.admin().createPartitions(Map.of(orders, NewPartitions.increaseTo(5))).all().get();
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, orders);
        ConfigEntry retention = new ConfigEntry(TopicConfig.RETENTION_MS_CONFIG, "7200000");
        context.admin()
                .incrementalAlterConfigs(
                        Map.of(
                                topic,
                                List.of(new AlterConfigOp(retention, AlterConfigOp.OpType.SET))))
                .all()
                .get();
        context.createTopic(later, 1, Map.of());
        Context.letSpread();
        produce(orders, 5, 90, 190);
        produce(later, 1, 0, 10);
    }

    private String remote(String topic) {
        return source + "." + topic;
    }

    private void untilMirrored(String topic, int partitions, int records) throws Exception {
        Applications.until(
                records + " records of " + remote(topic),
                () -> {
                    var described = context.admin().describeTopics(List.of(remote(topic)));
                    int there =
                            described.allTopicNames().get().get(remote(topic)).partitions().size();
                    return there == partitions
                            && context.readAll(remote(topic), partitions).size() >= records;
                });
    }

    /** The mirrored topic: its records partition by partition, in order, and its configs. */
    private void show(String at, String topic, int partitions) throws Exception {
        Map<Integer, String> values =
                context.readAll(remote(topic), partitions).stream()
                        .collect(
                                Collectors.groupingBy(
                                        record -> record.partition(),
                                        TreeMap::new,
                                        Collectors.mapping(
                                                record -> Context.text(record.value()),
                                                Collectors.joining(" "))));
        emit(at, "values", values, "configs", configsOf(remote(topic)));
    }

    private Map<String, String> configsOf(String topic) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        var described = context.admin().describeConfigs(List.of(resource)).all().get();
        Map<String, String> values = new TreeMap<>();
        CONFIGS.forEach(name -> values.put(name, described.get(resource).get(name).value()));
        return values;
    }

    private boolean hasRetention(String retentionMs) throws Exception {
        String value = configsOf(remote(orders)).get(TopicConfig.RETENTION_MS_CONFIG);
        return value.equals(retentionMs);
    }

    /** The group's position, as the mirrored topic counts: in the group, and as a client asks. */
    private void untilTranslated(long offset) throws Exception {
        TopicPartition mirrored = new TopicPartition(remote(orders), 0);
        Applications.until(
                "the translated offset",
                () -> {
                    OffsetAndMetadata committed = committed().get(mirrored);
                    return committed != null && committed.offset() == offset;
                });
        try (MirrorClient client =
                new MirrorClient(Map.of("bootstrap.servers", context.bootstrap()))) {
            OffsetAndMetadata checkpoint =
                    client.remoteConsumerOffsets(group, source, SHORT).get(mirrored);
            emit(
                    "mirror/offsets",
                    "committed",
                    committed().get(mirrored).offset(),
                    "checkpoint",
                    checkpoint.offset(),
                    "topics",
                    client.remoteTopics(source).stream().sorted().toList());
        }
    }

    private Map<TopicPartition, OffsetAndMetadata> committed() throws Exception {
        return context.admin()
                .listConsumerGroupOffsets(group)
                .partitionsToOffsetAndMetadata()
                .get();
    }

    /** Connect does not start on internal topics that are not compacted. */
    private Map<String, String> internalPolicies() throws Exception {
        Map<String, String> policies = new TreeMap<>();
        for (String topic :
                List.of(
                        "mm2-configs." + source + ".internal",
                        "mm2-offsets." + source + ".internal",
                        "mm2-status." + source + ".internal",
                        "mm2-offset-syncs." + context.name("target") + ".internal",
                        source + ".checkpoints.internal")) {
            policies.put(topic, configsOf(topic).get(TopicConfig.CLEANUP_POLICY_CONFIG));
        }
        return policies;
    }
}
