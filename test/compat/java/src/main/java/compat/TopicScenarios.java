package compat;

import static compat.Transcript.attempt;
import static compat.Transcript.emit;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.Uuid;

import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** What the admin client does with topics and sees of the cluster. */
final class TopicScenarios {
    private TopicScenarios() {}

    static void cluster(Context context) throws Exception {
        DescribeClusterResult cluster =
                context.admin()
                        .describeCluster(
                                new DescribeClusterOptions().includeAuthorizedOperations(true));
        int controller = cluster.controller().get().id();
        emit(
                "cluster/describe",
                "nodes",
                cluster.nodes().get().size(),
                "controllerIsANode",
                cluster.nodes().get().stream().anyMatch(node -> node.id() == controller),
                "clusterIdIsSet",
                !cluster.clusterId().get().isEmpty(),
                "authorizedOperations",
                cluster.authorizedOperations().get().stream().map(Enum::name).sorted().toList());
    }

    static void topics(Context context) throws Exception {
        Admin admin = context.admin();
        String topic = context.name("topics");
        Map<String, String> configs =
                Map.of("retention.ms", "3600000", "cleanup.policy", "compact");
        attempt(
                "topics/create",
                () -> {
                    var created =
                            admin.createTopics(
                                    List.of(new NewTopic(topic, 3, (short) 1).configs(configs)));
                    created.all().get();
                    return List.of(
                            created.numPartitions(topic).get(),
                            created.replicationFactor(topic).get(),
                            created.config(topic).get().get("retention.ms").value(),
                            !created.topicId(topic).get().equals(Uuid.ZERO_UUID));
                });
        attempt("topics/create-again", () -> create(context, new NewTopic(topic, 3, (short) 1)));
        attempt(
                "topics/create-default-partitions",
                () -> {
                    var created =
                            admin.createTopics(
                                    List.of(
                                            new NewTopic(
                                                    context.name("defaults"),
                                                    java.util.Optional.empty(),
                                                    java.util.Optional.empty())));
                    return created.numPartitions(context.name("defaults")).get();
                });
        attempt(
                "topics/create-invalid-name",
                () -> create(context, new NewTopic(context.name("bad name!"), 1, (short) 1)));
        attempt(
                "topics/create-zero-partitions",
                () -> create(context, new NewTopic(context.name("zero"), 0, (short) 1)));
        attempt(
                "topics/create-replication-0",
                () -> create(context, new NewTopic(context.name("rf0"), 1, (short) 0)));
        attempt(
                "topics/create-unknown-config",
                () ->
                        create(
                                context,
                                new NewTopic(context.name("unknown"), 1, (short) 1)
                                        .configs(Map.of("no.such.config", "1"))));
        attempt(
                "topics/create-invalid-config-value",
                () ->
                        create(
                                context,
                                new NewTopic(context.name("invalid"), 1, (short) 1)
                                        .configs(Map.of("retention.ms", "soon"))));
        attempt(
                "topics/create-by-assignment",
                () ->
                        create(
                                context,
                                new NewTopic(
                                        context.name("assigned"),
                                        Map.of(
                                                0,
                                                List.of(onlyNode(admin)),
                                                1,
                                                List.of(onlyNode(admin))))));
        attempt(
                "topics/validate-only",
                () ->
                        admin.createTopics(
                                        List.of(
                                                new NewTopic(
                                                        context.name("validated"), 1, (short) 1)),
                                        new CreateTopicsOptions().validateOnly(true))
                                .all()
                                .get());
        Context.letSpread();
        emitListing(context, "topics/list");
        emitDescription(context, "topics/describe", topic);
        attempt("topics/describe-unknown", () -> describe(context, context.name("nowhere")));
        addPartitions(context, topic);
        Context.letSpread();
        emitDescription(context, "topics/describe-after-adding", topic);
        attempt("topics/delete", () -> admin.deleteTopics(List.of(topic)).all().get());
        attempt("topics/delete-again", () -> admin.deleteTopics(List.of(topic)).all().get());
        Context.letSpread();
        emitListing(context, "topics/list-after-deleting");
        attempt(
                "topics/create-replication-3",
                () -> create(context, new NewTopic(context.name("rf3"), 1, (short) 3)));
    }

    private static void addPartitions(Context context, String topic) throws Exception {
        Admin admin = context.admin();
        attempt(
                "topics/add-partitions",
                () ->
                        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5)))
                                .all()
                                .get());
        attempt(
                "topics/add-partitions-fewer",
                () ->
                        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4)))
                                .all()
                                .get());
        attempt(
                "topics/add-partitions-same",
                () ->
                        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5)))
                                .all()
                                .get());
        attempt(
                "topics/add-partitions-unknown",
                () ->
                        admin.createPartitions(
                                        Map.of(
                                                context.name("nowhere"),
                                                NewPartitions.increaseTo(5)))
                                .all()
                                .get());
    }

    private static int onlyNode(Admin admin) throws Exception {
        return admin.describeCluster().nodes().get().iterator().next().id();
    }

    private static Object create(Context context, NewTopic topic) throws Exception {
        return context.admin().createTopics(List.of(topic)).all().get();
    }

    private static TopicDescription describe(Context context, String topic) throws Exception {
        return context.admin().describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    }

    private static void emitListing(Context context, String at) throws Exception {
        TreeSet<String> names = new TreeSet<>(context.admin().listTopics().names().get());
        names.removeIf(name -> !name.startsWith(context.prefix()));
        emit(at, "topics", names);
    }

    private static void emitDescription(Context context, String at, String topic) throws Exception {
        TopicDescription description = describe(context, topic);
        emit(
                at,
                "internal",
                description.isInternal(),
                "partitions",
                description.partitions().stream()
                        .map(
                                partition ->
                                        List.of(
                                                partition.partition(),
                                                partition.leader() != null,
                                                partition.replicas().size(),
                                                partition.isr().size()))
                        .toList());
    }
}
