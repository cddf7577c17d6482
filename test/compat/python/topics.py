"""What the admin client does with topics and configs."""

from confluent_kafka import TopicCollection
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from transcript import attempt, emit, let_spread, only

BROKER_CONFIGS = [
    "auto.create.topics.enable",
    "log.cleanup.policy",
    "message.max.bytes",
    "num.partitions",
]


def cluster(context):
    described = context.admin.describe_cluster(include_authorized_operations=True).result()
    emit(
        "cluster/describe",
        nodes=len(described.nodes),
        controllerIsANode=described.controller.id in [node.id for node in described.nodes],
        clusterIdIsSet=bool(described.cluster_id),
        authorizedOperations=sorted(
            operation.name for operation in described.authorized_operations
        ),
    )


def topics(context):
    admin, topic = context.admin, context.name("topics")

    def create(name, partitions=1, replication=1, **options):
        return only(admin.create_topics([NewTopic(name, partitions, replication, **options)]))

    configs = {"retention.ms": "3600000", "cleanup.policy": "compact"}
    attempt("topics/create", lambda: create(topic, 3, config=configs))
    attempt("topics/create-again", lambda: create(topic, 3))
    attempt("topics/create-invalid-name", lambda: create(context.name("bad name!")))
    attempt("topics/create-replication-0", lambda: create(context.name("rf0"), 1, 0))
    attempt(
        "topics/create-unknown-config",
        lambda: create(context.name("unknown"), config={"no.such.config": "1"}),
    )
    attempt(
        "topics/create-invalid-config-value",
        lambda: create(context.name("invalid"), config={"retention.ms": "soon"}),
    )
    validated = [NewTopic(context.name("validated"), 1, 1)]
    attempt(
        "topics/validate-only", lambda: only(admin.create_topics(validated, validate_only=True))
    )
    let_spread()
    emit_listing(context, "topics/list")
    emit_description(context, "topics/describe", topic)
    attempt("topics/describe-unknown", lambda: str(describe(context, context.name("nowhere"))))

    def add(name, total):
        return only(admin.create_partitions([NewPartitions(name, total)]))

    attempt("topics/add-partitions", lambda: add(topic, 5))
    attempt("topics/add-partitions-fewer", lambda: add(topic, 4))
    attempt("topics/add-partitions-unknown", lambda: add(context.name("nowhere"), 5))
    let_spread()
    emit_description(context, "topics/describe-after-adding", topic)
    attempt("topics/delete", lambda: only(admin.delete_topics([topic])))
    attempt("topics/delete-again", lambda: only(admin.delete_topics([topic])))
    let_spread()
    emit_listing(context, "topics/list-after-deleting")
    attempt("topics/create-replication-3", lambda: create(context.name("rf3"), 1, 3))


def describe(context, topic):
    return only(context.admin.describe_topics(TopicCollection([topic])))


def emit_listing(context, at):
    names = context.admin.list_topics(timeout=10).topics
    emit(at, topics=sorted(name for name in names if name.startswith(context.prefix)))


def emit_description(context, at, topic):
    described = describe(context, topic)
    partitions = [
        [p.id, p.leader is not None, len(p.replicas), len(p.isr)] for p in described.partitions
    ]
    emit(at, internal=described.is_internal, partitions=partitions)


def configs(context):
    topic = context.name("configs")
    context.create_topic(topic, 1, {"segment.bytes": "1048576"})
    for name, entry in sorted(describe_configs(context, ResourceType.TOPIC, topic).items()):
        if not name.startswith("millrace."):
            emit(
                f"configs/topic/{name}",
                value=entry.value,
                source=ConfigSource(entry.source).name,
                readOnly=entry.is_read_only,
                sensitive=entry.is_sensitive,
            )
    alter_configs(context, topic)
    attempt(
        "configs/describe-unknown-topic",
        lambda: len(describe_configs(context, ResourceType.TOPIC, context.name("nowhere"))),
    )
    node = next(iter(context.admin.list_topics(timeout=10).brokers))
    broker = describe_configs(context, ResourceType.BROKER, str(node))
    for name in BROKER_CONFIGS:
        entry = broker.get(name)
        emit(f"configs/broker/{name}", value=entry.value if entry else "(absent)")


def alter_configs(context, topic):
    def alter(name, value, operation, target=topic):
        entry = ConfigEntry(name, value, incremental_operation=operation)
        resource = ConfigResource(ResourceType.TOPIC, target, incremental_configs=[entry])
        return only(context.admin.incremental_alter_configs([resource]))

    attempt("configs/set", lambda: alter("retention.ms", "60000", AlterConfigOpType.SET))
    attempt("configs/append", lambda: alter("cleanup.policy", "compact", AlterConfigOpType.APPEND))
    emit_chosen(context, "configs/after-setting", topic)
    attempt(
        "configs/subtract", lambda: alter("cleanup.policy", "delete", AlterConfigOpType.SUBTRACT)
    )
    attempt("configs/delete", lambda: alter("retention.ms", None, AlterConfigOpType.DELETE))
    emit_chosen(context, "configs/after-deleting", topic)
    attempt("configs/invalid-value", lambda: alter("retention.ms", "soon", AlterConfigOpType.SET))
    unknown = context.name("nowhere")
    attempt(
        "configs/alter-unknown-topic",
        lambda: alter("retention.ms", "1", AlterConfigOpType.SET, unknown),
    )
    replace = ConfigResource(ResourceType.TOPIC, topic, set_config={"retention.ms": "90000"})
    attempt("configs/replace", lambda: only(context.admin.alter_configs([replace])))
    emit_chosen(context, "configs/after-replacing", topic)


def describe_configs(context, kind, name):
    return only(context.admin.describe_configs([ConfigResource(kind, name)]))


def emit_chosen(context, at, topic):
    let_spread()
    described = describe_configs(context, ResourceType.TOPIC, topic)
    for name in ["cleanup.policy", "retention.ms", "segment.bytes"]:
        emit(
            f"{at}/{name}",
            value=described[name].value,
            source=ConfigSource(described[name].source).name,
        )
