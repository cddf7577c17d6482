package compat;

import static compat.Transcript.emit;

import static org.apache.kafka.streams.CloseOptions.GroupMembershipOperation.LEAVE_GROUP;

import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.state.QueryableStoreTypes;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;

/** A count with state, by a key that is not the input's: changelogs, and a repartition topic. */
final class StreamsScenarios {
    private static final int PARTITIONS = 3;
    private static final String STORE = "counts";
    private static final Duration WINDOW = Duration.ofHours(1);
    private static final Duration CLOSING = Duration.ofSeconds(20);
    private static final List<String> CONFIGS =
            List.of(
                    TopicConfig.CLEANUP_POLICY_CONFIG,
                    TopicConfig.RETENTION_MS_CONFIG,
                    TopicConfig.SEGMENT_BYTES_CONFIG,
                    TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG);

    private final Context context;
    private final String application;
    private final String input;

    private StreamsScenarios(Context context) {
        this.context = context;
        this.application = context.name("counting");
        this.input = context.name("streams-input");
    }

    static void streams(Context context) throws Exception {
        new StreamsScenarios(context).run();
    }

    private void run() throws Exception {
        context.createTopic(input, PARTITIONS, Map.of());
        context.produceNumbered(input, PARTITIONS, 0, 300);
        try (Instance first = new Instance(Map.of())) {
            Applications.until("the first counts", () -> total(first.counts()) == 300);
            emit("streams/one-instance", "counts", first.counts());
            try (Instance second = new Instance(Map.of())) {
                shared(first, second);
            }
            showTopics();
        }
        try (Instance restarted = new Instance(Map.of())) {
            Applications.until("the restored counts", () -> total(restarted.counts()) == 600);
            emit(
                    "streams/restored",
                    "counts",
                    restarted.counts(),
                    "records",
                    restarted.restored.get());
        }
        exactlyOnce();
    }

    /** A second instance takes some of the tasks, and keeps standbys of the others. */
    private void shared(Instance first, Instance second) throws Exception {
        Applications.until(
                "tasks of both",
                () -> first.activeTasks() > 0 && second.activeTasks() > 0 && areAll(first, second));
        context.produceNumbered(input, PARTITIONS, 300, 600);
        Applications.until(
                "the counts of both",
                () -> total(first.counts()) + total(second.counts()) == 600);
        Map<String, Long> all = new TreeMap<>(first.counts());
        all.putAll(second.counts());
        emit("streams/two-instances", "counts", all);
        Applications.until(
                "standbys", () -> first.standbyTasks() + second.standbyTasks() == PARTITIONS);
    }

    private static boolean areAll(Instance first, Instance second) {
        return first.activeTasks() + second.activeTasks() == 2 * PARTITIONS;
    }

    /** The topics that Streams made; of the repartition topic it deletes what it has read. */
    private void showTopics() throws Exception {
        String repartition = application + "-by-last-digit-repartition";
        Applications.until("a deletion of what was read", () -> size(repartition) < 600);
        for (String topic :
                List.of(
                        repartition,
                        application + "-" + STORE + "-changelog",
                        application + "-windows-changelog")) {
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            var described = context.admin().describeConfigs(List.of(resource)).all().get();
            Map<String, String> values = new TreeMap<>();
            CONFIGS.forEach(name -> values.put(name, described.get(resource).get(name).value()));
            emit("streams/topic", "name", topic, "configs", values);
        }
    }

    private long size(String topic) throws Exception {
        try (var consumer = context.consumer(Map.of())) {
            List<TopicPartition> all =
                    consumer.partitionsFor(topic).stream()
                            .map(found -> new TopicPartition(topic, found.partition()))
                            .toList();
            Map<TopicPartition, Long> starts = consumer.beginningOffsets(all);
            return consumer.endOffsets(all).entrySet().stream()
                    .mapToLong(end -> end.getValue() - starts.get(end.getKey()))
                    .sum();
        }
    }

    /** Whether an application that asks for transactions runs, or what it is told. */
    private void exactlyOnce() throws Exception {
        Map<String, Object> guarantee =
                Map.of(
                        StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
                        StreamsConfig.EXACTLY_ONCE_V2,
                        StreamsConfig.APPLICATION_ID_CONFIG,
                        context.name("counting-once"));
        try (Instance instance = new Instance(guarantee)) {
            Applications.until(
                    "its end, or its counts",
                    () -> instance.failure.get() != null || total(instance.counts()) == 600);
            Throwable failure = instance.failure.get();
            emit(
                    "streams/exactly-once",
                    "said",
                    failure == null ? null : failure.getMessage().replaceAll("with key \\S+ ", ""));
        }
    }

    private static long total(Map<String, Long> counts) {
        return counts.values().stream().mapToLong(Long::longValue).sum();
    }

    /** One process of the application, with a state directory of its own that goes with it. */
    private final class Instance implements AutoCloseable {
        final AtomicLong restored = new AtomicLong();
        final AtomicReference<Throwable> failure = new AtomicReference<>();
        private final Path state = Files.createTempDirectory("streams");
        private final KafkaStreams streams;

        Instance(Map<String, Object> overrides) throws Exception {
            Properties configs = new Properties();
            configs.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, context.bootstrap());
            configs.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
            configs.put(StreamsConfig.STATE_DIR_CONFIG, state.toString());
            configs.put(StreamsConfig.NUM_STANDBY_REPLICAS_CONFIG, 1);
            configs.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200);
            configs.put(StreamsConfig.REPARTITION_PURGE_INTERVAL_MS_CONFIG, 200);
            configs.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
            configs.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
            configs.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
            configs.put("auto.offset.reset", "earliest");
            configs.put("heartbeat.interval.ms", 300);
            configs.putAll(overrides);
            streams = new KafkaStreams(topology(), configs);
            streams.setGlobalStateRestoreListener(new Restored(restored));
            streams.setUncaughtExceptionHandler(this::failed);
            streams.start();
        }

        private StreamThreadExceptionResponse failed(Throwable thrown) {
            Throwable root = thrown;
            while (root.getCause() != null) {
                root = root.getCause();
            }
            failure.compareAndSet(null, root);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        }

        /** What this instance has counted; nothing while its tasks move. */
        Map<String, Long> counts() {
            Map<String, Long> counts = new TreeMap<>();
            if (streams.state() != KafkaStreams.State.RUNNING) {
                return counts;
            }
            var store =
                    streams.store(
                            StoreQueryParameters.fromNameAndType(
                                    STORE, QueryableStoreTypes.<String, Long>keyValueStore()));
            try (var entries = store.all()) {
                entries.forEachRemaining(entry -> counts.put(entry.key, entry.value));
            }
            return counts;
        }

        long activeTasks() {
            return streams.metadataForLocalThreads().stream()
                    .mapToLong(thread -> thread.activeTasks().size())
                    .sum();
        }

        long standbyTasks() {
            return streams.metadataForLocalThreads().stream()
                    .mapToLong(thread -> thread.standbyTasks().size())
                    .sum();
        }

        @Override
        public void close() throws IOException {
            streams.close(CloseOptions.groupMembershipOperation(LEAVE_GROUP).withTimeout(CLOSING));
            streams.cleanUp();
            try (Stream<Path> left = Files.walk(state)) {
                left.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
            }
        }
    }

    private Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        var byLastDigit =
                builder.<String, String>stream(input)
                        .groupBy(
                                (key, value) -> value.substring(value.length() - 1),
                                Grouped.as("by-last-digit"));
        byLastDigit.count(Materialized.as(STORE));
        byLastDigit
                .windowedBy(TimeWindows.ofSizeWithNoGrace(WINDOW))
                .count(Materialized.as("windows"));
        return builder.build();
    }

    private record Restored(AtomicLong records) implements StateRestoreListener {
        @Override
        public void onRestoreStart(TopicPartition partition, String store, long from, long to) {}

        @Override
        public void onBatchRestored(
                TopicPartition partition, String store, long endOffset, long count) {}

        @Override
        public void onRestoreEnd(TopicPartition partition, String store, long count) {
            records.addAndGet(count);
        }
    }
}
