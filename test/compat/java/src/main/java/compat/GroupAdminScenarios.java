package compat;

import static compat.Transcript.attempt;
import static compat.Transcript.emit;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** What the admin client does with a group that has a member, and then has none. */
final class GroupAdminScenarios {
    private GroupAdminScenarios() {}

    static void groupAdmin(Context context) throws Exception {
        Admin admin = context.admin();
        String group = context.name("group-admin");
        TopicPartition subscribed = new TopicPartition(context.name("group-admin"), 0);
        TopicPartition other = new TopicPartition(context.name("group-other"), 0);
        context.createTopic(subscribed.topic(), 1, Map.of());
        context.createTopic(other.topic(), 1, Map.of());
        context.produceNumbered(subscribed.topic(), 1, 0, 5);
        attempt("group-admin/describe-unknown", () -> describe(context, group).groupState().name());
        try (var member =
                new GroupScenarios.Member(
                        context, group, subscribed.topic(), Map.of("client.id", "member"))) {
            Context.until(
                    "the records",
                    () -> {
                        member.poll();
                        return member.values.size() == 5;
                    });
            member.consumer.commitSync(
                    Map.of(
                            subscribed,
                            new OffsetAndMetadata(3, "three"),
                            other,
                            new OffsetAndMetadata(0)));
            emitListing(context, "group-admin/list");
            emitDescription(context, "group-admin/describe");
            emitOffsets(context, "group-admin/offsets");
            attempt(
                    "group-admin/delete-offsets-of-subscribed",
                    () -> deleteOffsets(context, subscribed));
            attempt("group-admin/delete-offsets-of-other", () -> deleteOffsets(context, other));
            attempt(
                    "group-admin/alter-offsets-with-member",
                    () -> alterOffsets(context, subscribed, 1));
            attempt(
                    "group-admin/delete-with-member",
                    () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        }
        emitListing(context, "group-admin/list-empty");
        emitDescription(context, "group-admin/describe-empty");
        attempt("group-admin/alter-offsets", () -> alterOffsets(context, subscribed, 1));
        emitOffsets(context, "group-admin/offsets-altered");
        attempt("group-admin/delete-offsets", () -> deleteOffsets(context, subscribed));
        emitOffsets(context, "group-admin/offsets-deleted");
        attempt("group-admin/delete", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        attempt(
                "group-admin/delete-again",
                () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        attempt("group-admin/delete-offsets-of-unknown", () -> deleteOffsets(context, subscribed));
        emitListing(context, "group-admin/list-deleted");
    }

    private static ConsumerGroupDescription describe(Context context, String group)
            throws Exception {
        return context.admin().describeConsumerGroups(List.of(group)).all().get().get(group);
    }

    private static Object deleteOffsets(Context context, TopicPartition partition)
            throws Exception {
        return context.admin()
                .deleteConsumerGroupOffsets(context.name("group-admin"), Set.of(partition))
                .all()
                .get();
    }

    private static Object alterOffsets(Context context, TopicPartition partition, long offset)
            throws Exception {
        return context.admin()
                .alterConsumerGroupOffsets(
                        context.name("group-admin"),
                        Map.of(partition, new OffsetAndMetadata(offset)))
                .all()
                .get();
    }

    private static void emitListing(Context context, String at) throws Exception {
        String group = context.name("group-admin");
        List<List<String>> groups =
                context.admin().listGroups().all().get().stream()
                        .filter(listing -> listing.groupId().equals(group))
                        .map(GroupAdminScenarios::fieldsOf)
                        .toList();
        emit(at, "groups", groups);
    }

    private static List<String> fieldsOf(GroupListing listing) {
        return List.of(
                listing.groupId(),
                listing.protocol(),
                listing.type().map(Enum::name).orElse(""),
                listing.groupState().map(Enum::name).orElse(""));
    }

    private static void emitDescription(Context context, String at) throws Exception {
        ConsumerGroupDescription description = describe(context, context.name("group-admin"));
        emit(
                at,
                "state",
                description.groupState().name(),
                "type",
                description.type().name(),
                "assignor",
                description.partitionAssignor(),
                "simple",
                description.isSimpleConsumerGroup(),
                "coordinatorIsSet",
                description.coordinator() != null,
                "members",
                description.members().stream()
                        .map(
                                member ->
                                        List.of(
                                                member.clientId(),
                                                member.host(),
                                                member.assignment().topicPartitions().size()))
                        .toList());
    }

    private static void emitOffsets(Context context, String at) throws Exception {
        String group = context.name("group-admin");
        Map<String, Object> offsets = new TreeMap<>();
        context.admin()
                .listConsumerGroupOffsets(group)
                .partitionsToOffsetAndMetadata()
                .get()
                .forEach(
                        (partition, offset) ->
                                offsets.put(
                                        partition.toString(),
                                        offset == null
                                                ? "none"
                                                : List.of(offset.offset(), offset.metadata())));
        emit(at, "offsets", offsets);
    }
}
