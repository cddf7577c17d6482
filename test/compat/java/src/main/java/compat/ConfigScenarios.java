package compat;

import static compat.Transcript.attempt;
import static compat.Transcript.emit;

import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.common.config.ConfigResource;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Configs of topics and of the broker. */
final class ConfigScenarios {
    private static final List<String> BROKER_CONFIGS =
            List.of(
                    "auto.create.topics.enable",
                    "delete.topic.enable",
                    "group.max.session.timeout.ms",
                    "log.cleanup.policy",
                    "log.retention.ms",
                    "message.max.bytes",
                    "num.partitions",
                    "offsets.retention.minutes");

    private ConfigScenarios() {}

    static void configs(Context context) throws Exception {
        String topic = context.name("configs");
        context.createTopic(topic, 1, Map.of("segment.bytes", "1048576"));
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        for (ConfigEntry entry : ordered(describe(context, resource).entries())) {
            if (!entry.name().startsWith("millrace.")) {
                emit(
                        "configs/topic/" + entry.name(),
                        "value",
                        entry.value(),
                        "source",
                        entry.source().name(),
                        "type",
                        entry.type().name(),
                        "readOnly",
                        entry.isReadOnly(),
                        "sensitive",
                        entry.isSensitive(),
                        "synonyms",
                        entry.synonyms().stream().map(s -> s.name() + "=" + s.value()).toList());
            }
        }
        attempt(
                "configs/set",
                () ->
                        alter(
                                context,
                                resource,
                                op("retention.ms", "60000", AlterConfigOp.OpType.SET)));
        attempt(
                "configs/append",
                () ->
                        alter(
                                context,
                                resource,
                                op("cleanup.policy", "compact", AlterConfigOp.OpType.APPEND)));
        Context.letSpread();
        emitChosen(context, "configs/after-setting", resource);
        attempt(
                "configs/subtract",
                () ->
                        alter(
                                context,
                                resource,
                                op("cleanup.policy", "delete", AlterConfigOp.OpType.SUBTRACT)));
        attempt(
                "configs/delete",
                () ->
                        alter(
                                context,
                                resource,
                                op("retention.ms", null, AlterConfigOp.OpType.DELETE)));
        Context.letSpread();
        emitChosen(context, "configs/after-deleting", resource);
        attempt(
                "configs/invalid-value",
                () ->
                        alter(
                                context,
                                resource,
                                op("retention.ms", "soon", AlterConfigOp.OpType.SET)));
        attempt(
                "configs/out-of-range",
                () ->
                        alter(
                                context,
                                resource,
                                op("max.message.bytes", "-5", AlterConfigOp.OpType.SET)));
        attempt(
                "configs/unknown-name",
                () ->
                        alter(
                                context,
                                resource,
                                op("no.such.config", "1", AlterConfigOp.OpType.SET)));
        attempt(
                "configs/append-to-no-list",
                () ->
                        alter(
                                context,
                                resource,
                                op("retention.ms", "1", AlterConfigOp.OpType.APPEND)));
        emitChosen(context, "configs/after-refusals", resource);
        ConfigResource nowhere =
                new ConfigResource(ConfigResource.Type.TOPIC, context.name("nowhere"));
        attempt(
                "configs/describe-unknown-topic",
                () -> describe(context, nowhere).entries().size());
        attempt(
                "configs/alter-unknown-topic",
                () -> alter(context, nowhere, op("retention.ms", "1", AlterConfigOp.OpType.SET)));
        emitBroker(context);
    }

    private static void emitBroker(Context context) throws Exception {
        int node = context.admin().describeCluster().nodes().get().iterator().next().id();
        Config config =
                describe(
                        context,
                        new ConfigResource(ConfigResource.Type.BROKER, Integer.toString(node)));
        for (String name : BROKER_CONFIGS) {
            ConfigEntry entry = config.get(name);
            emit(
                    "configs/broker/" + name,
                    "value",
                    entry == null ? "(absent)" : entry.value(),
                    "source",
                    entry == null ? "" : entry.source().name());
        }
    }

    private static AlterConfigOp op(String name, String value, AlterConfigOp.OpType type) {
        return new AlterConfigOp(new ConfigEntry(name, value), type);
    }

    private static Object alter(Context context, ConfigResource resource, AlterConfigOp op)
            throws Exception {
        return context.admin().incrementalAlterConfigs(Map.of(resource, List.of(op))).all().get();
    }

    private static Config describe(Context context, ConfigResource resource) throws Exception {
        DescribeConfigsOptions options = new DescribeConfigsOptions().includeSynonyms(true);
        return context.admin()
                .describeConfigs(List.of(resource), options)
                .all()
                .get()
                .get(resource);
    }

    private static Collection<ConfigEntry> ordered(Collection<ConfigEntry> entries) {
        TreeMap<String, ConfigEntry> byName = new TreeMap<>();
        entries.forEach(entry -> byName.put(entry.name(), entry));
        return byName.values();
    }

    private static void emitChosen(Context context, String at, ConfigResource resource)
            throws Exception {
        Config config = describe(context, resource);
        for (String name : List.of("cleanup.policy", "retention.ms")) {
            emit(
                    at + "/" + name,
                    "value",
                    config.get(name).value(),
                    "source",
                    config.get(name).source().name());
        }
    }
}
