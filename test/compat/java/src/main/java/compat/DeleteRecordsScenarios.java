package compat;

import static compat.Context.text;
import static compat.Transcript.attempt;
import static compat.Transcript.emit;

import org.apache.kafka.clients.admin.DeleteRecordsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A log whose head is deleted, and what is then seen of it. */
final class DeleteRecordsScenarios {
    private DeleteRecordsScenarios() {}

    static void deleteRecords(Context context) throws Exception {
        String topic = context.name("delete-records");
        context.createTopic(topic, 2, Map.of("retention.ms", "-1"));
        context.produceNumbered(topic, 1, 0, 10);
        TopicPartition full = new TopicPartition(topic, 0);
        delete(context, "before-4", full, 4);
        delete(context, "before-2-again", full, 2);
        delete(context, "past-the-end", full, 11);
        delete(context, "below-minus-one", full, -2);
        emitOffsets(context, "delete-records/offsets", full);
        emit(
                "delete-records/values",
                "values",
                context.readAll(topic, 1).stream().map(record -> text(record.value())).toList());
        emit("delete-records/reset-from-1", "offset", firstOffsetFrom(context, full, 1));
        delete(context, "all", full, -1);
        delete(context, "all-of-an-empty-one", new TopicPartition(topic, 1), -1);
        emitOffsets(context, "delete-records/offsets-of-nothing", full);
        context.produceNumbered(topic, 1, 10, 12);
        emitOffsets(context, "delete-records/offsets-after-producing", full);
        delete(context, "unknown-partition", new TopicPartition(topic, 2), 0);
        String compacted = context.name("delete-records-compacted");
        context.createTopic(compacted, 1, Map.of("cleanup.policy", "compact"));
        delete(context, "compacted", new TopicPartition(compacted, 0), 0);
        String both = context.name("delete-records-both");
        context.createTopic(both, 1, Map.of("cleanup.policy", "compact,delete"));
        delete(context, "compacted-and-deleted", new TopicPartition(both, 0), 0);
    }

    private static void delete(Context context, String at, TopicPartition partition, long offset)
            throws Exception {
        attempt(
                "delete-records/" + at,
                () ->
                        context.admin()
                                .deleteRecords(
                                        Map.of(partition, RecordsToDelete.beforeOffset(offset)),
                                        new DeleteRecordsOptions().timeoutMs(2_000))
                                .lowWatermarks()
                                .get(partition)
                                .get()
                                .lowWatermark());
    }

    private static void emitOffsets(Context context, String at, TopicPartition partition)
            throws Exception {
        List<Long> offsets = new ArrayList<>();
        for (OffsetSpec spec :
                List.of(
                        OffsetSpec.earliest(),
                        OffsetSpec.earliestLocal(),
                        OffsetSpec.latest(),
                        OffsetSpec.forTimestamp(0))) {
            offsets.add(
                    context.admin()
                            .listOffsets(Map.of(partition, spec))
                            .partitionResult(partition)
                            .get()
                            .offset());
        }
        emit(at, "offsets", offsets);
    }

    /** Of a consumer that was there before: out of range, so it goes to the beginning. */
    private static long firstOffsetFrom(Context context, TopicPartition partition, long offset) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = context.consumer(Map.of())) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, offset);
            Context.until(
                    "a record",
                    () -> {
                        consumer.poll(Context.SHORT_POLL).forEach(records::add);
                        return !records.isEmpty();
                    });
        }
        return records.get(0).offset();
    }
}
