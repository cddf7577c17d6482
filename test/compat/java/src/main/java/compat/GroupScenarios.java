package compat;

import static compat.Context.text;
import static compat.Transcript.attempt;
import static compat.Transcript.emit;

import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.TopicPartition;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Groups of the classic protocol: handover between members with each assignor, and static members.
 */
final class GroupScenarios {
    static final Map<String, Class<?>> ASSIGNORS = new LinkedHashMap<>();

    static {
        ASSIGNORS.put("range", RangeAssignor.class);
        ASSIGNORS.put("roundrobin", RoundRobinAssignor.class);
        ASSIGNORS.put("sticky", StickyAssignor.class);
        ASSIGNORS.put("cooperative-sticky", CooperativeStickyAssignor.class);
    }

    private static final int PARTITIONS = 5;

    private GroupScenarios() {}

    /**
     * A member that commits what it processed before it gives partitions up, and counts its
     * rebalances.
     */
    static final class Member implements ConsumerRebalanceListener, AutoCloseable {
        final KafkaConsumer<byte[], byte[]> consumer;
        final List<String> values = new ArrayList<>();
        int rebalances = 0;

        Member(Context context, String group, String topic, Map<String, Object> overrides) {
            Map<String, Object> configs =
                    new HashMap<>(Map.of("group.id", group, "max.poll.records", 7));
            configs.putAll(overrides);
            consumer = context.consumer(configs);
            consumer.subscribe(List.of(topic), this);
        }

        void poll() {
            consumer.poll(Context.SHORT_POLL).forEach(record -> values.add(text(record.value())));
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            consumer.commitSync();
        }

        /** A fenced member may not commit: its partitions are another's already. */
        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {}

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            rebalances += 1;
        }

        @Override
        public void close() {
            consumer.close();
        }
    }

    static void handover(Context context, String name, Class<?> assignor) throws Exception {
        String at = "group-" + name;
        String topic = context.name(at);
        Map<String, Object> configs =
                Map.of("partition.assignment.strategy", List.of(assignor.getName()));
        context.createTopic(topic, PARTITIONS, Map.of());
        context.produceNumbered(topic, PARTITIONS, 0, 60);
        List<String> values = new ArrayList<>();
        try (Member first = new Member(context, topic, topic, configs)) {
            Context.until("some records", () -> polled(first).values.size() >= 20);
            emit(
                    at + "/one-member",
                    "partitions",
                    Context.sortedSizes(List.of(first.consumer.assignment())));
            try (Member second = new Member(context, topic, topic, configs)) {
                Context.until("both members", () -> balanced(polled(first), polled(second)));
                context.produceNumbered(topic, PARTITIONS, 60, 100);
                Context.until(
                        "records after the join",
                        () -> polled(first).values.size() + polled(second).values.size() >= 100);
                emit(
                        at + "/two-members",
                        "partitions",
                        Context.sortedSizes(
                                List.of(
                                        first.consumer.assignment(),
                                        second.consumer.assignment())));
                second.consumer.commitSync();
                values.addAll(second.values);
            }
            Context.until(
                    "one member again",
                    () -> polled(first).consumer.assignment().size() == PARTITIONS);
            context.produceNumbered(topic, PARTITIONS, 100, 120);
            Context.until(
                    "records after the leave",
                    () -> polled(first).values.size() + values.size() >= 120);
            emit(at + "/one-member-again", "partitions", first.consumer.assignment().size());
            first.consumer.commitSync();
            values.addAll(first.values);
        }
        emit(at + "/handover", "records", values.size(), "distinct", new HashSet<>(values).size());
        resume(context, at, topic, configs);
    }

    private static void resume(
            Context context, String at, String topic, Map<String, Object> configs)
            throws Exception {
        context.produceNumbered(topic, PARTITIONS, 120, 125);
        try (Member fresh = new Member(context, topic, topic, configs)) {
            Context.until("the records after the commit", () -> polled(fresh).values.size() >= 5);
            emit(at + "/resumed", "values", new TreeSet<>(fresh.values));
            Map<TopicPartition, OffsetAndMetadata> committed =
                    fresh.consumer.committed(fresh.consumer.assignment());
            emit(
                    at + "/committed",
                    "offsets",
                    committed.values().stream().map(OffsetAndMetadata::offset).sorted().toList());
        }
    }

    private static Member polled(Member member) {
        member.poll();
        return member;
    }

    /** Both have partitions, and between them each partition once. */
    private static boolean balanced(Member first, Member second) {
        Set<TopicPartition> ours = first.consumer.assignment();
        Set<TopicPartition> theirs = second.consumer.assignment();
        boolean complete = ours.size() + theirs.size() == PARTITIONS;
        return complete
                && !theirs.isEmpty()
                && Stream.concat(ours.stream(), theirs.stream()).distinct().count() == PARTITIONS;
    }

    static void staticMembers(Context context) throws Exception {
        String topic = context.name("static");
        context.createTopic(topic, 4, Map.of());
        try (Member one = staticMember(context, topic, "one")) {
            Member two = staticMember(context, topic, "two");
            Context.until(
                    "both members",
                    () -> {
                        one.poll();
                        two.poll();
                        return one.consumer.assignment().size() == 2
                                && two.consumer.assignment().size() == 2;
                    });
            Set<TopicPartition> before = Set.copyOf(two.consumer.assignment());
            int generation = one.consumer.groupMetadata().generationId();
            int rebalances = one.rebalances;
            two.consumer.close(
                    CloseOptions.groupMembershipOperation(
                            CloseOptions.GroupMembershipOperation.DEFAULT));
            try (Member again = staticMember(context, topic, "two")) {
                Context.until(
                        "the restarted member",
                        () -> {
                            one.poll();
                            again.poll();
                            return again.consumer.assignment().size() == 2;
                        });
                emit(
                        "static/restarted",
                        "samePartitions",
                        again.consumer.assignment().equals(before),
                        "sameGeneration",
                        again.consumer.groupMetadata().generationId() == generation,
                        "rebalancesOfTheOther",
                        one.rebalances - rebalances);
                fence(context, topic, again);
            }
        }
    }

    private static void fence(Context context, String topic, Member fenced) throws Exception {
        try (Member successor = staticMember(context, topic, "two")) {
            Context.until(
                    "the successor", () -> polled(successor).consumer.assignment().size() == 2);
            attempt(
                    "static/fenced",
                    () -> {
                        Context.until(
                                "the fence",
                                () -> {
                                    fenced.poll();
                                    return false;
                                });
                        return null;
                    });
        }
    }

    private static Member staticMember(Context context, String topic, String instance) {
        return new Member(
                context,
                topic,
                topic,
                Map.of("group.instance.id", instance, "session.timeout.ms", 30_000));
    }
}
