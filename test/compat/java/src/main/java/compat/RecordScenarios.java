package compat;

import static compat.Context.bytes;
import static compat.Context.text;
import static compat.Transcript.attempt;
import static compat.Transcript.emit;

import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;

/** Produced and consumed records. */
final class RecordScenarios {
    static final long FIRST_TIMESTAMP = 1_700_000_000_000L;
    /** Records with old timestamps, kept when the broker looks for expired ones. */
    private static final Map<String, String> KEPT = Map.of("retention.ms", "-1");

    private static final long AN_HOUR_MS = 3_600_000;

    private RecordScenarios() {}

    static void codecs(Context context) throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            produceWith(context, codec, codec, Map.of());
        }
        for (String codec : List.of("gzip", "snappy", "lz4", "zstd")) {
            produceWith(context, codec + "-by-broker", "none", Map.of("compression.type", codec));
        }
        produceWith(context, "none-by-broker", "zstd", Map.of("compression.type", "uncompressed"));
    }

    private static void produceWith(
            Context context, String name, String codec, Map<String, String> topicConfigs)
            throws Exception {
        String topic = context.name("codec-" + name);
        context.createTopic(topic, 1, topicConfigs);
        List<Long> offsets = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer =
                context.producer(Map.of("compression.type", codec, "linger.ms", 20))) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                sent.add(
                        producer.send(
                                new ProducerRecord<>(
                                        topic,
                                        bytes("key-" + i),
                                        bytes(("value-" + i + ";").repeat(40)))));
            }
            for (Future<RecordMetadata> future : sent) {
                offsets.add(future.get().offset());
            }
        }
        List<ConsumerRecord<byte[], byte[]>> records = context.readAll(topic, 1);
        boolean intact =
                records.stream()
                        .allMatch(
                                record ->
                                        text(record.value())
                                                .equals(
                                                        ("value-" + record.offset() + ";")
                                                                .repeat(40)));
        emit("codecs/" + name, "offsets", offsets, "consumed", records.size(), "intact", intact);
    }

    static void records(Context context) throws Exception {
        String topic = context.name("records");
        context.createTopic(topic, 3, KEPT);
        List<Header> headers =
                List.of(
                        new RecordHeader("h", bytes("1")), new RecordHeader("empty", bytes("")),
                        new RecordHeader("null", null), new RecordHeader("h", bytes("2")));
        try (KafkaProducer<byte[], byte[]> producer = context.producer(Map.of())) {
            List<ProducerRecord<byte[], byte[]>> all =
                    new ArrayList<>(
                            List.of(
                                    new ProducerRecord<>(
                                            topic,
                                            0,
                                            FIRST_TIMESTAMP,
                                            bytes("k1"),
                                            bytes("v1"),
                                            headers),
                                    new ProducerRecord<>(topic, 0, null, bytes("v2")),
                                    new ProducerRecord<>(topic, 0, bytes("k3"), null),
                                    new ProducerRecord<>(
                                            topic, 1, FIRST_TIMESTAMP + 1000, bytes(""), bytes("")),
                                    new ProducerRecord<byte[], byte[]>(
                                            topic, 2, 0L, null, null, List.<Header>of()),
                                    new ProducerRecord<>(
                                            topic, 2, bytes("clé"), bytes("välue ☃"))));
            for (int i = 0; i < 10; i++) {
                all.add(new ProducerRecord<>(topic, bytes("key-" + i), bytes("partitioned")));
            }
            for (ProducerRecord<byte[], byte[]> record : all) {
                RecordMetadata metadata = producer.send(record).get();
                emit(
                        "records/produced",
                        "key",
                        text(record.key()),
                        "partition",
                        metadata.partition(),
                        "offset",
                        metadata.offset());
            }
        }
        context.readAll(topic, 3).forEach(record -> emitRecord("records/consumed", record));
    }

    static void timestamps(Context context) throws Exception {
        String topic = context.name("timestamps");
        context.createTopic(topic, 1, Map.of("message.timestamp.type", "LogAppendTime"));
        try (KafkaProducer<byte[], byte[]> producer = context.producer(Map.of())) {
            RecordMetadata metadata =
                    producer.send(new ProducerRecord<>(topic, 0, FIRST_TIMESTAMP, null, bytes("v")))
                            .get();
            emit(
                    "timestamps/produced",
                    "offset",
                    metadata.offset(),
                    "timestamp",
                    timestamp(metadata.timestamp()));
        }
        context.readAll(topic, 1).forEach(record -> emitRecord("timestamps/consumed", record));
    }

    static void seek(Context context) throws Exception {
        TopicPartition partition = new TopicPartition(context.name("seek"), 0);
        context.createTopic(partition.topic(), 1, KEPT);
        try (KafkaProducer<byte[], byte[]> producer = context.producer(Map.of())) {
            for (int i = 0; i < 10; i++) {
                producer.send(
                                new ProducerRecord<>(
                                        partition.topic(),
                                        0,
                                        FIRST_TIMESTAMP + i * 1000L,
                                        null,
                                        bytes("v" + i)))
                        .get();
            }
        }
        try (KafkaConsumer<byte[], byte[]> consumer =
                context.consumer(Map.of("auto.offset.reset", "none"))) {
            consumer.assign(List.of(partition));
            emit(
                    "seek/offsets",
                    "beginning",
                    consumer.beginningOffsets(List.of(partition)).get(partition),
                    "end",
                    consumer.endOffsets(List.of(partition)).get(partition));
            Map<String, Long> times = new LinkedHashMap<>();
            times.put("before-first", FIRST_TIMESTAMP - 1);
            times.put("between", FIRST_TIMESTAMP + 4500);
            times.put("exactly", FIRST_TIMESTAMP + 5000);
            times.put("after-last", FIRST_TIMESTAMP + 9001);
            times.forEach(
                    (name, time) -> {
                        OffsetAndTimestamp found =
                                consumer.offsetsForTimes(Map.of(partition, time)).get(partition);
                        emit(
                                "seek/" + name,
                                "offset",
                                found == null ? null : found.offset(),
                                "timestamp",
                                found == null ? null : found.timestamp());
                    });
            consumer.seek(partition, 7);
            emit("seek/from-7", "values", valuesUntil(consumer, partition, 10));
            consumer.seekToEnd(List.of(partition));
            emit("seek/to-end", "position", consumer.position(partition));
            consumer.seek(partition, 11);
            attempt("seek/out-of-range", () -> valuesUntil(consumer, partition, 12));
        }
        Map<String, Object> committed = Map.of("isolation.level", "read_committed");
        try (KafkaConsumer<byte[], byte[]> consumer = context.consumer(committed)) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 8);
            emit(
                    "seek/read-committed",
                    "values",
                    valuesUntil(consumer, partition, 10),
                    "end",
                    consumer.endOffsets(List.of(partition)).get(partition));
        }
        listOffsets(context, partition);
        for (String codec : List.of("none", "gzip", "zstd")) {
            maxTimestamp(context, codec, KEPT);
        }
        maxTimestamp(context, "snappy", Map.of("message.timestamp.type", "LogAppendTime"));
    }

    /** The record with the largest time is in the middle of its batch, and that is not the last. */
    private static void maxTimestamp(Context context, String codec, Map<String, String> configs)
            throws Exception {
        String topic = context.name("max-timestamp-" + codec);
        context.createTopic(topic, 1, configs);
        Map<String, Object> oneBatch = Map.of("compression.type", codec, "linger.ms", 1_000);
        for (long start : List.of(FIRST_TIMESTAMP + 10_000, FIRST_TIMESTAMP)) {
            try (KafkaProducer<byte[], byte[]> producer = context.producer(oneBatch)) {
                for (long after : List.of(1_000L, 5_000L, 2_000L, 5_000L)) {
                    producer.send(
                            new ProducerRecord<>(topic, 0, start + after, null, bytes("value")));
                }
            }
        }
        TopicPartition partition = new TopicPartition(topic, 0);
        attempt(
                "seek/max-timestamp-in-" + codec,
                () ->
                        context.admin()
                                .listOffsets(Map.of(partition, OffsetSpec.maxTimestamp()))
                                .partitionResult(partition)
                                .get()
                                .offset());
    }

    /** The admin client's ListOffsets. */
    private static void listOffsets(Context context, TopicPartition partition) throws Exception {
        Map<String, OffsetSpec> specs = new LinkedHashMap<>();
        specs.put("earliest", OffsetSpec.earliest());
        specs.put("latest", OffsetSpec.latest());
        specs.put("max-timestamp", OffsetSpec.maxTimestamp());
        specs.put("for-timestamp", OffsetSpec.forTimestamp(FIRST_TIMESTAMP + 2500));
        specs.put("earliest-local", OffsetSpec.earliestLocal());
        specs.put("latest-tiered", OffsetSpec.latestTiered());
        specs.put("earliest-pending-upload", OffsetSpec.earliestPendingUpload());
        for (Map.Entry<String, OffsetSpec> spec : specs.entrySet()) {
            attempt(
                    "seek/list-" + spec.getKey(),
                    () -> {
                        ListOffsetsResultInfo found =
                                context.admin()
                                        .listOffsets(Map.of(partition, spec.getValue()))
                                        .all()
                                        .get()
                                        .get(partition);
                        return List.of(found.offset(), found.timestamp());
                    });
        }
        TopicPartition unknown = new TopicPartition(partition.topic(), 9);
        attempt(
                "seek/list-unknown-partition",
                () ->
                        context.admin()
                                .listOffsets(
                                        Map.of(unknown, OffsetSpec.latest()),
                                        new ListOffsetsOptions().timeoutMs(500))
                                .all()
                                .get());
    }

    private static List<String> valuesUntil(
            KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, long end) {
        List<String> values = new ArrayList<>();
        Context.until(
                "offset " + end,
                () -> {
                    consumer.poll(Context.SHORT_POLL)
                            .forEach(record -> values.add(text(record.value())));
                    return consumer.position(partition) >= end;
                });
        return values;
    }

    static void idempotent(Context context) throws Exception {
        String topic = context.name("idempotent");
        context.createTopic(topic, 1, Map.of());
        Map<String, Object> configs =
                Map.of(
                        "enable.idempotence",
                        true,
                        "acks",
                        "all",
                        "batch.size",
                        200,
                        "linger.ms",
                        1);
        List<Long> offsets = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = context.producer(configs)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                sent.add(producer.send(new ProducerRecord<>(topic, bytes("value-" + i))));
            }
            for (Future<RecordMetadata> future : sent) {
                offsets.add(future.get().offset());
            }
        }
        List<String> values =
                context.readAll(topic, 1).stream().map(record -> text(record.value())).toList();
        boolean inOrder = true;
        for (int i = 0; i < values.size(); i++) {
            inOrder &= values.get(i).equals("value-" + i) && offsets.get(i) == i;
        }
        emit("idempotent/consumed", "records", values.size(), "inOrder", inOrder);
    }

    static void emitRecord(String at, ConsumerRecord<byte[], byte[]> record) {
        List<List<String>> headers =
                Arrays.stream(record.headers().toArray())
                        .map(header -> Arrays.asList(header.key(), text(header.value())))
                        .toList();
        emit(
                at,
                "partition",
                record.partition(),
                "offset",
                record.offset(),
                "key",
                text(record.key()),
                "value",
                text(record.value()),
                "headers",
                headers,
                "timestampType",
                record.timestampType().name(),
                "timestamp",
                timestamp(record.timestamp()));
    }

    private static Object timestamp(long millis) {
        return Math.abs(System.currentTimeMillis() - millis) < AN_HOUR_MS ? "now" : millis;
    }
}
