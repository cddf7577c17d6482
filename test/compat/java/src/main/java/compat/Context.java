package compat;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

/** Where the broker is, and the clients that every scenario makes. */
record Context(String bootstrap, String prefix, Admin admin) {
    static final Duration SHORT_POLL = Duration.ofMillis(50);
    private static final long WAIT_NANOS_MAX = 20_000_000_000L;

    String name(String suffix) {
        return prefix + suffix;
    }

    KafkaProducer<byte[], byte[]> producer(Map<String, Object> overrides) {
        Map<String, Object> configs =
                new HashMap<>(
                        Map.of(
                                "bootstrap.servers",
                                bootstrap,
                                "key.serializer",
                                ByteArraySerializer.class,
                                "value.serializer",
                                ByteArraySerializer.class,
                                "delivery.timeout.ms",
                                20_000,
                                "request.timeout.ms",
                                10_000,
                                "linger.ms",
                                0));
        configs.putAll(overrides);
        return new KafkaProducer<>(configs);
    }

    KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> overrides) {
        Map<String, Object> configs =
                new HashMap<>(
                        Map.of(
                                "bootstrap.servers",
                                bootstrap,
                                "key.deserializer",
                                ByteArrayDeserializer.class,
                                "value.deserializer",
                                ByteArrayDeserializer.class,
                                "enable.auto.commit",
                                false,
                                "auto.offset.reset",
                                "earliest",
                                "allow.auto.create.topics",
                                false,
                                "fetch.max.wait.ms",
                                100,
                                "heartbeat.interval.ms",
                                200,
                                "default.api.timeout.ms",
                                10_000));
        configs.putAll(overrides);
        return new KafkaConsumer<>(configs);
    }

    void createTopic(String topic, int partitions, Map<String, String> configs) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs)))
                .all()
                .get();
        until("the leaders of " + topic, () -> hasLeaders(topic));
    }

    /** Kafka answers before its brokers have heard of the topic. */
    private boolean hasLeaders(String topic) {
        try {
            return admin
                    .describeTopics(List.of(topic))
                    .allTopicNames()
                    .get()
                    .get(topic)
                    .partitions()
                    .stream()
                    .allMatch(partition -> partition.leader() != null);
        } catch (ExecutionException unknown) {
            return false;
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
        }
    }

    /**
     * Waits after a change until Kafka's broker surely has it too: its controller answers first.
     */
    static void letSpread() throws InterruptedException {
        Thread.sleep(200);
    }

    /**
     * Sends records with values PREFIX-less "from" .. "to - 1", spread over the partitions in turn.
     */
    void produceNumbered(String topic, int partitions, int from, int to) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of("linger.ms", 5))) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = from; i < to; i++) {
                sent.add(
                        producer.send(
                                new ProducerRecord<>(
                                        topic, i % partitions, null, bytes(Integer.toString(i)))));
            }
            for (Future<RecordMetadata> future : sent) {
                future.get();
            }
        }
    }

    /**
     * Reads the partitions of one topic from the beginning to their ends, each in its own order.
     */
    List<ConsumerRecord<byte[], byte[]>> readAll(String topic, int partitions) {
        List<TopicPartition> all = new ArrayList<>();
        for (int partition = 0; partition < partitions; partition++) {
            all.add(new TopicPartition(topic, partition));
        }
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of())) {
            consumer.assign(all);
            consumer.seekToBeginning(all);
            Map<TopicPartition, Long> ends = consumer.endOffsets(all);
            until(
                    "the end of " + topic,
                    () -> {
                        consumer.poll(SHORT_POLL).forEach(records::add);
                        return all.stream()
                                .allMatch(
                                        partition ->
                                                consumer.position(partition)
                                                        >= ends.get(partition));
                    });
        }
        records.sort(
                (a, b) ->
                        a.partition() != b.partition()
                                ? Integer.compare(a.partition(), b.partition())
                                : Long.compare(a.offset(), b.offset()));
        return records;
    }

    interface Condition {
        boolean holds();
    }

    /** Tries again until the condition holds; fails after 20 s. */
    static void until(String what, Condition condition) {
        long deadline = System.nanoTime() + WAIT_NANOS_MAX;
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("waited too long for " + what);
            }
        }
    }

    static byte[] bytes(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }

    static List<Integer> sortedSizes(Collection<? extends Collection<?>> sets) {
        return sets.stream().map(Collection::size).sorted().toList();
    }
}
