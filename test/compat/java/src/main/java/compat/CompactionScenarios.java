package compat;

import static compat.Context.bytes;
import static compat.Context.text;
import static compat.Transcript.attempt;
import static compat.Transcript.emit;

import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;

/** A log that the broker compacts while clients wait for it. */
final class CompactionScenarios {
    /** Each batch is so much younger than the one before that it begins a segment. */
    private static final long BATCH_MS = 10_000;

    private static final String ROLLS = "rolls";

    /** One batch a line; a key alone is deleted. */
    private static final List<List<String>> BATCHES =
            List.of(
                    List.of("a=1", "b=1", "c=1", "d=1", "e=1"),
                    List.of("a=2", "b", "c=2", "f=1"),
                    List.of("a=3", "g=1", "g=2", "g=3"),
                    List.of("c", "h"),
                    List.of("b=4", "i=1", "h=1", "h"));

    private CompactionScenarios() {}

    static void compaction(Context context) throws Exception {
        compact(context, "deleted", Map.of("delete.retention.ms", "0"), Set.of("c", "h"));
        compact(context, "marked", Map.of(), Set.of());
    }

    /** {@code gone}: keys of which nothing stays, not even that they were deleted. */
    private static void compact(
            Context context, String kind, Map<String, String> extra, Set<String> gone)
            throws Exception {
        String topic = context.name("compaction-" + kind);
        Map<String, String> configs =
                new HashMap<>(
                        Map.of(
                                "cleanup.policy", "compact",
                                "segment.ms", "1000",
                                "min.cleanable.dirty.ratio", "0.01",
                                "flush.ms", "50"));
        configs.putAll(extra);
        context.createTopic(topic, 1, configs);
        long timestamp = RecordScenarios.FIRST_TIMESTAMP;
        try (KafkaProducer<byte[], byte[]> producer = context.producer(Map.of("linger.ms", 500))) {
            for (List<String> batch : BATCHES) {
                List<Future<RecordMetadata>> sent = new ArrayList<>();
                for (String record : batch) {
                    sent.add(producer.send(recordOf(topic, timestamp, record)));
                }
                producer.flush();
                List<Long> offsets = new ArrayList<>();
                for (Future<RecordMetadata> future : sent) {
                    offsets.add(future.get().offset());
                }
                emit("compaction/" + kind + "-produced", "offsets", offsets);
                timestamp += BATCH_MS;
            }
            awaitCompaction(context, topic, producer, gone);
            attempt(
                    "compaction/" + kind + "-without-a-key",
                    () -> producer.send(new ProducerRecord<>(topic, bytes("v"))).get().offset());
        }
        for (ConsumerRecord<byte[], byte[]> record : kept(context, topic)) {
            emit(
                    "compaction/" + kind + "-consumed",
                    "offset",
                    record.offset(),
                    "key",
                    text(record.key()),
                    "value",
                    text(record.value()),
                    "timestamp",
                    record.timestamp());
        }
        emitPlaces(context, kind, new TopicPartition(topic, 0));
    }

    private static ProducerRecord<byte[], byte[]> recordOf(
            String topic, long timestamp, String record) {
        String[] parts = record.split("=");
        byte[] value = parts.length == 1 ? null : bytes(parts[1]);
        return new ProducerRecord<>(topic, 0, timestamp, bytes(parts[0]), value);
    }

    /**
     * Sends a record after another, each in a segment of its own, since only what is followed by a
     * segment is compacted, and what is deleted goes with a later pass.
     */
    private static void awaitCompaction(
            Context context,
            String topic,
            KafkaProducer<byte[], byte[]> producer,
            Set<String> gone) {
        long[] timestamp = {RecordScenarios.FIRST_TIMESTAMP + BATCH_MS * BATCHES.size()};
        Context.until(
                "compaction of " + topic,
                () -> {
                    timestamp[0] += BATCH_MS;
                    producer.send(recordOf(topic, timestamp[0], ROLLS + "=1"));
                    producer.flush();
                    Set<String> keys = new HashSet<>();
                    return kept(context, topic).stream()
                            .map(record -> text(record.key()))
                            .allMatch(key -> keys.add(key) && !gone.contains(key));
                });
    }

    private static List<ConsumerRecord<byte[], byte[]>> kept(Context context, String topic) {
        return context.readAll(topic, 1).stream()
                .filter(record -> !ROLLS.equals(text(record.key())))
                .toList();
    }

    /** Where the log begins, and what comes for an offset and a time at which nothing is left. */
    private static void emitPlaces(Context context, String kind, TopicPartition partition)
            throws Exception {
        long beginning =
                context.admin()
                        .listOffsets(Map.of(partition, OffsetSpec.earliest()))
                        .partitionResult(partition)
                        .get()
                        .offset();
        List<Long> found = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = context.consumer(Map.of())) {
            long time = RecordScenarios.FIRST_TIMESTAMP + BATCH_MS;
            long atTime = consumer.offsetsForTimes(Map.of(partition, time)).get(partition).offset();
            consumer.assign(List.of(partition));
            consumer.seek(partition, 5);
            Context.until(
                    "a record",
                    () -> {
                        consumer.poll(Context.SHORT_POLL)
                                .forEach(record -> found.add(record.offset()));
                        return !found.isEmpty();
                    });
            emit(
                    "compaction/" + kind + "-places",
                    "beginning",
                    beginning,
                    "atTime",
                    atTime,
                    "from5",
                    found.get(0));
        }
    }
}
