package compat;

import static compat.Context.bytes;
import static compat.Context.text;
import static compat.Transcript.attempt;
import static compat.Transcript.emit;

import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

/**
 * A log of which the broker keeps only the end on its disk, where it has another place for the
 * rest; where it has none, the same log without that.
 */
final class TieredScenarios {
    private static final int RECORDS = 1_080;
    /** Together more than 64 MiB, at which a broker takes them to that other place at once. */
    private static final int VALUE_BYTES = 65_536;

    private static final long STEP_MS = 1_000;
    private static final int IN_THE_MIDDLE = 321;
    private static final Map<String, String> PLAIN =
            Map.of("segment.bytes", "1048576", "retention.ms", "-1");

    private TieredScenarios() {}

    static void tiered(Context context) throws Exception {
        String topic = context.name("tiered");
        TopicPartition partition = new TopicPartition(topic, 0);
        boolean isTiered = create(context, topic);
        emit("tiered/produced", "offsets", produce(context, topic));
        Context.until(
                "the head of the log to leave the disk",
                () -> !isTiered || offset(context, partition, OffsetSpec.earliestLocal()) > 0);
        emit(
                "tiered/offsets",
                "earliest",
                offset(context, partition, OffsetSpec.earliest()),
                "latest",
                offset(context, partition, OffsetSpec.latest()));
        emit(
                "tiered/earliest-local",
                "isAboveEarliest",
                offset(context, partition, OffsetSpec.earliestLocal()) > 0);
        emitTiers(context, partition);
        readFromTheBeginning(context, partition);
        readFromTheMiddle(context, partition);
    }

    private static boolean create(Context context, String topic) throws Exception {
        Map<String, String> configs = new HashMap<>(PLAIN);
        configs.put("remote.storage.enable", "true");
        configs.put("local.retention.bytes", "1048576");
        NewTopic asked = new NewTopic(topic, 1, (short) 1).configs(configs);
        attempt("tiered/created", () -> context.admin().createTopics(List.of(asked)).all().get());
        try {
            context.createTopic(topic, 1, PLAIN);
            return false;
        } catch (ExecutionException isThere) {
            return true;
        }
    }

    /** How many got the offset that is their number. */
    private static int produce(Context context, String topic) throws Exception {
        int inOrder = 0;
        Map<String, Object> configs = Map.of("batch.size", 8 * VALUE_BYTES, "linger.ms", 5);
        try (KafkaProducer<byte[], byte[]> producer = context.producer(configs)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < RECORDS; i++) {
                long timestamp = RecordScenarios.FIRST_TIMESTAMP + i * STEP_MS;
                byte[] key = bytes(Integer.toString(i));
                sent.add(
                        producer.send(
                                new ProducerRecord<>(topic, 0, timestamp, key, valueOf(i))));
            }
            for (int i = 0; i < RECORDS; i++) {
                inOrder += sent.get(i).get().offset() == i ? 1 : 0;
            }
        }
        return inOrder;
    }

    private static byte[] valueOf(int number) {
        return Arrays.copyOf(bytes(("value-" + number + ";").repeat(9_000)), VALUE_BYTES);
    }

    private static long offset(Context context, TopicPartition partition, OffsetSpec spec) {
        try {
            return context.admin()
                    .listOffsets(Map.of(partition, spec))
                    .partitionResult(partition)
                    .get()
                    .offset();
        } catch (InterruptedException | ExecutionException failure) {
            throw new IllegalStateException(failure);
        }
    }

    /** Asked for from below, for what lies above may move on meanwhile. */
    private static void emitTiers(Context context, TopicPartition partition) {
        long local = offset(context, partition, OffsetSpec.earliestLocal());
        long tiered = offset(context, partition, OffsetSpec.latestTiered());
        long pending = offset(context, partition, OffsetSpec.earliestPendingUpload());
        emit(
                "tiered/tiers",
                "isTiered",
                tiered >= 0,
                "reachesLocal",
                tiered >= local - 1,
                "isPendingAbove",
                pending > tiered);
    }

    /** Every record once, in order and as it was sent; what is wrong first is told. */
    private static void readFromTheBeginning(Context context, TopicPartition partition) {
        int[] read = {0};
        List<String> wrong = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = context.consumer(Map.of())) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            Context.until(
                    "the end of " + partition,
                    () -> {
                        for (ConsumerRecord<byte[], byte[]> record :
                                consumer.poll(Context.SHORT_POLL)) {
                            if (!isRecord(record, read[0])) {
                                wrong.add(read[0] + ": " + record.offset());
                            }
                            read[0]++;
                        }
                        return consumer.position(partition) >= RECORDS;
                    });
        }
        List<String> first = wrong.subList(0, Math.min(3, wrong.size()));
        emit("tiered/consumed", "records", read[0], "wrong", first);
    }

    private static boolean isRecord(ConsumerRecord<byte[], byte[]> record, int number) {
        return record.offset() == number
                && record.timestamp() == RecordScenarios.FIRST_TIMESTAMP + number * STEP_MS
                && Integer.toString(number).equals(text(record.key()))
                && Arrays.equals(record.value(), valueOf(number));
    }

    private static void readFromTheMiddle(Context context, TopicPartition partition) {
        List<String> keys = new ArrayList<>();
        long time = RecordScenarios.FIRST_TIMESTAMP + IN_THE_MIDDLE * STEP_MS - STEP_MS / 2;
        try (KafkaConsumer<byte[], byte[]> consumer = context.consumer(Map.of())) {
            long found = consumer.offsetsForTimes(Map.of(partition, time)).get(partition).offset();
            consumer.assign(List.of(partition));
            consumer.seek(partition, found);
            Context.until(
                    "records from the middle",
                    () -> {
                        consumer.poll(Context.SHORT_POLL)
                                .forEach(record -> keys.add(text(record.key())));
                        return keys.size() >= 3;
                    });
            emit("tiered/from-a-time", "offset", found, "keys", keys.subList(0, 3));
        }
    }
}
