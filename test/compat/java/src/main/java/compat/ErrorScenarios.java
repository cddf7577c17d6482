package compat;

import static compat.Context.bytes;
import static compat.Transcript.attempt;

import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;

import java.util.List;
import java.util.Map;

/** What the broker refuses, and the topic that it creates on its own. */
final class ErrorScenarios {
    private ErrorScenarios() {}

    static void errors(Context context) throws Exception {
        consumeUnknown(context);
        try (KafkaProducer<byte[], byte[]> producer =
                context.producer(Map.of("max.request.size", 2_000_000))) {
            attempt(
                    "errors/produce-unknown-topic-is-created",
                    () -> {
                        RecordMetadata metadata =
                                producer.send(
                                                new ProducerRecord<>(
                                                        context.name("created"), bytes("v")))
                                        .get();
                        return List.of(
                                metadata.offset(),
                                producer.partitionsFor(context.name("created")).size());
                    });
            attempt(
                    "errors/produce-invalid-topic",
                    () ->
                            producer.send(
                                            new ProducerRecord<>(
                                                    context.name("bad name!"), bytes("v")))
                                    .get());
            context.createTopic(context.name("small"), 1, Map.of("max.message.bytes", "1000"));
            attempt(
                    "errors/produce-oversized",
                    () ->
                            producer.send(
                                            new ProducerRecord<>(
                                                    context.name("small"), new byte[1001]))
                                    .get());
            attempt(
                    "errors/produce-fitting",
                    () ->
                            producer.send(
                                            new ProducerRecord<>(
                                                    context.name("small"), new byte[500]))
                                    .get()
                                    .offset());
            attempt(
                    "errors/produce-over-broker-limit",
                    () ->
                            producer.send(
                                            new ProducerRecord<>(
                                                    context.name("created"), new byte[1_500_000]))
                                    .get());
            context.createTopic(context.name("keyed"), 1, Map.of("cleanup.policy", "compact"));
            attempt(
                    "errors/produce-without-key-to-compacted",
                    () ->
                            producer.send(new ProducerRecord<>(context.name("keyed"), bytes("v")))
                                    .get());
        }
        try (KafkaProducer<byte[], byte[]> producer =
                context.producer(Map.of("acks", "0", "enable.idempotence", false))) {
            attempt(
                    "errors/produce-acks-0",
                    () ->
                            producer.send(new ProducerRecord<>(context.name("small"), bytes("v")))
                                    .get()
                                    .offset());
        }
    }

    private static void consumeUnknown(Context context) throws Exception {
        Map<String, Object> configs =
                Map.of("group.id", context.name("errors"), "default.api.timeout.ms", 1_000);
        try (KafkaConsumer<byte[], byte[]> consumer = context.consumer(configs)) {
            TopicPartition unknown = new TopicPartition(context.name("nowhere"), 0);
            attempt(
                    "errors/partitions-of-unknown-topic",
                    () -> consumer.partitionsFor(unknown.topic()).size());
            attempt(
                    "errors/partitions-of-invalid-topic",
                    () -> consumer.partitionsFor(context.name("bad name!")).size());
            consumer.assign(List.of(unknown));
            attempt(
                    "errors/commit-to-unknown-topic",
                    () -> {
                        consumer.commitSync(Map.of(unknown, new OffsetAndMetadata(1)));
                        return null;
                    });
        }
    }
}
