import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

/**
 * What cold_client.py does, with Kafka's own client: the same arguments, the same lines.
 *
 * <pre>
 * ColdClient BOOTSTRAP TOPIC write FROM COUNT CODEC
 * ColdClient BOOTSTRAP TOPIC read
 * </pre>
 */
public final class ColdClient {
    private static final long FIRST_TIMESTAMP = 1_700_000_000_000L;
    private static final int PARTITIONS = 3;
    private static final Duration POLL = Duration.ofMillis(200);
    private static final PrintStream OUT =
            new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false);

    private ColdClient() {}

    public static void main(String[] args) throws Exception {
        if (args[2].equals("write")) {
            write(args, Integer.parseInt(args[3]), Integer.parseInt(args[4]));
        } else {
            read(args);
        }
        OUT.flush();
    }

    private static void write(String[] args, int first, int count) throws Exception {
        Map<String, Object> configs =
                Map.of(
                        "bootstrap.servers", args[0],
                        "compression.type", args[5],
                        "linger.ms", 20,
                        "key.serializer", ByteArraySerializer.class.getName(),
                        "value.serializer", ByteArraySerializer.class.getName());
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(configs)) {
            List<ProducerRecord<byte[], byte[]>> records =
                    IntStream.range(first, first + count)
                            .mapToObj(number -> record(args[1], number))
                            .toList();
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (ProducerRecord<byte[], byte[]> each : records) sent.add(producer.send(each));
            for (int i = 0; i < count; i += 1) {
                ProducerRecord<byte[], byte[]> each = records.get(i);
                RecordMetadata at = sent.get(i).get();
                Header header = each.headers().iterator().next();
                tell(at.partition(), at.offset(), at.timestamp(), each.key(), header, each.value());
            }
        }
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, int number) {
        byte[] value = new byte[100 + number * 37 % 3_000];
        new Random(number).nextBytes(value);
        ProducerRecord<byte[], byte[]> record =
                new ProducerRecord<>(
                        topic,
                        number % 50 == 0 ? 2 : number % 2,
                        FIRST_TIMESTAMP + number * 1_000L,
                        number % 7 == 0 ? null : bytes("java-" + number),
                        number % 11 == 0 ? null : value);
        record.headers().add("number", bytes(Integer.toString(number)));
        return record;
    }

    private static void read(String[] args) throws Exception {
        Map<String, Object> configs =
                Map.of(
                        "bootstrap.servers", args[0],
                        "auto.offset.reset", "none",
                        "enable.auto.commit", false,
                        "key.deserializer", ByteArrayDeserializer.class.getName(),
                        "value.deserializer", ByteArrayDeserializer.class.getName());
        List<TopicPartition> partitions =
                IntStream.range(0, PARTITIONS)
                        .mapToObj(partition -> new TopicPartition(args[1], partition))
                        .toList();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(configs)) {
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(at -> consumer.position(at) < ends.get(at))) {
                for (ConsumerRecord<byte[], byte[]> each : consumer.poll(POLL)) {
                    Header header = each.headers().iterator().next();
                    tell(
                            each.partition(),
                            each.offset(),
                            each.timestamp(),
                            each.key(),
                            header,
                            each.value());
                }
            }
        }
    }

    private static void tell(
            int partition, long offset, long timestamp, byte[] key, Header header, byte[] value)
            throws Exception {
        String shownKey = key == null ? "-" : text(key);
        String shownHeader = header.key() + "=" + text(header.value());
        OUT.printf(
                "%d %d %d %s %s %s%n",
                partition, offset, timestamp, shownKey, shownHeader, digest(value));
    }

    private static String digest(byte[] value) throws Exception {
        if (value == null) return "-";
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(value));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
