"""Groups of the classic protocol: handover, static members, what the admin client sees."""

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from transcript import attempt, emit, error_name, only, text, until

ASSIGNORS = ["range", "roundrobin", "cooperative-sticky"]
PARTITIONS = 5


class Member:
    """Commits what it processed before it gives partitions up, and counts its rebalances."""

    def __init__(self, context, group, topic, **overrides):
        self.consumer = context.consumer(group_id=group, **overrides)
        self.values = []
        self.rebalances = 0
        self.consumer.subscribe(
            [topic], on_assign=self.assigned, on_revoke=self.revoked, on_lost=lambda *_: None
        )

    def assigned(self, _consumer, _partitions):
        self.rebalances += 1

    def revoked(self, _consumer, _partitions):
        self.commit()

    def commit(self):
        processed = [p for p in self.consumer.position(self.consumer.assignment()) if p.offset >= 0]
        if processed:
            self.consumer.commit(offsets=processed, asynchronous=False)

    def poll(self):
        message = self.consumer.poll(0.02)
        if message is not None and message.error():
            raise KafkaException(message.error())
        if message is not None:
            self.values.append(text(message.value()))
        return self

    def partitions(self):
        return sorted(partition.partition for partition in self.consumer.assignment())

    def close(self):
        self.consumer.close()


def handover(context, assignor):
    at = f"group-{assignor}"
    topic = context.name(at)
    options = {"partition_assignment_strategy": assignor}
    context.create_topic(topic, PARTITIONS)
    context.produce_numbered(topic, PARTITIONS, 0, 60)
    first = Member(context, topic, topic, **options)
    until("some records", lambda: len(first.poll().values) >= 20)
    emit(f"{at}/one-member", partitions=len(first.partitions()))
    second = Member(context, topic, topic, **options)
    until("both members", lambda: balanced(first.poll(), second.poll()))
    context.produce_numbered(topic, PARTITIONS, 60, 100)
    until(
        "records after the join",
        lambda: len(first.poll().values) + len(second.poll().values) >= 100,
    )
    emit(
        f"{at}/two-members", partitions=sorted([len(first.partitions()), len(second.partitions())])
    )
    second.commit()
    second.close()
    until("one member again", lambda: len(first.poll().partitions()) == PARTITIONS)
    context.produce_numbered(topic, PARTITIONS, 100, 120)
    until("records after the leave", lambda: len(first.poll().values) + len(second.values) >= 120)
    emit(f"{at}/one-member-again", partitions=len(first.partitions()))
    first.commit()
    first.close()
    values = first.values + second.values
    emit(f"{at}/handover", records=len(values), distinct=len(set(values)))
    context.produce_numbered(topic, PARTITIONS, 120, 125)
    fresh = Member(context, topic, topic, **options)
    until("the records after the commit", lambda: len(fresh.poll().values) >= 5)
    committed = fresh.consumer.committed(fresh.consumer.assignment(), timeout=10)
    emit(f"{at}/resumed", values=sorted(fresh.values))
    emit(f"{at}/committed", offsets=sorted(partition.offset for partition in committed))
    fresh.close()


def balanced(first, second):
    return (
        sorted(first.partitions() + second.partitions()) == list(range(PARTITIONS))
        and second.partitions()
    )


def static_members(context):
    topic = context.name("static")
    context.create_topic(topic, 4)

    def member(instance):
        return Member(context, topic, topic, group_instance_id=instance, session_timeout_ms=30000)

    one, two = member("one"), member("two")
    until(
        "both members",
        lambda: [len(one.poll().partitions()), len(two.poll().partitions())] == [2, 2],
    )
    before, rebalances = two.partitions(), one.rebalances
    two.close()
    again = member("two")
    until("the restarted member", lambda: one.poll() and len(again.poll().partitions()) == 2)
    emit(
        "static/restarted",
        samePartitions=again.partitions() == before,
        rebalancesOfTheOther=one.rebalances - rebalances,
    )
    successor = member("two")
    until("the successor", lambda: len(successor.poll().partitions()) == 2)
    emit("static/fenced", error=fatal_error(again))
    for consumer in (successor, again, one):
        consumer.close()


def fatal_error(member):
    """What ends a member for good: _FATAL, and only its words say which error it was."""
    fatal = []

    def ended():
        try:
            member.poll()
        except KafkaException as error:
            fatal.append(error.args[0].str())
        return fatal

    until("the end of a member", ended)
    return fatal[0]


def group_admin(context):
    group = topic = context.name("group-admin")
    other = context.name("group-other")
    context.create_topic(topic, 1)
    context.create_topic(other, 1)
    context.produce_numbered(topic, 1, 0, 5)
    member = Member(context, group, topic, client_id="member")
    until("the records", lambda: len(member.poll().values) == 5)
    offsets = [TopicPartition(topic, 0, 3, metadata="three"), TopicPartition(other, 0, 0)]
    member.consumer.commit(offsets=offsets, asynchronous=False)
    member.revoked = lambda *_: None
    emit_group(context, "with-member")
    emit_offsets(context, "group-admin/offsets")
    attempt("group-admin/alter-offsets-with-member", lambda: alter_offsets(context, topic, 1))
    attempt(
        "group-admin/delete-with-member",
        lambda: only(context.admin.delete_consumer_groups([group])),
    )
    member.consumer.unsubscribe()
    member.close()
    emit_group(context, "empty")
    attempt("group-admin/alter-offsets", lambda: alter_offsets(context, topic, 1))
    emit_offsets(context, "group-admin/offsets-altered")
    attempt("group-admin/delete", lambda: only(context.admin.delete_consumer_groups([group])))
    attempt("group-admin/delete-again", lambda: only(context.admin.delete_consumer_groups([group])))
    emit_group(context, "deleted")


def emit_group(context, when):
    group = context.name("group-admin")
    listed = [g for g in context.admin.list_consumer_groups().result().valid if g.group_id == group]
    emit(
        f"group-admin/list-{when}",
        groups=[
            [g.group_id, g.state.name, g.type.name, g.is_simple_consumer_group] for g in listed
        ],
    )
    try:
        described = only(context.admin.describe_consumer_groups([group]))
    except KafkaException as error:
        emit(f"group-admin/describe-{when}", error=error_name(error))
        return
    emit(
        f"group-admin/describe-{when}",
        state=described.state.name,
        assignor=described.partition_assignor,
        members=[
            [m.client_id, m.host, len(m.assignment.topic_partitions)] for m in described.members
        ],
    )


def alter_offsets(context, topic, offset):
    request = ConsumerGroupTopicPartitions(
        context.name("group-admin"), [TopicPartition(topic, 0, offset)]
    )
    for partition in only(context.admin.alter_consumer_group_offsets([request])).topic_partitions:
        if partition.error:
            raise KafkaException(partition.error)


def emit_offsets(context, at):
    request = ConsumerGroupTopicPartitions(context.name("group-admin"))
    listed = only(context.admin.list_consumer_group_offsets([request])).topic_partitions
    emit(at, offsets=sorted([p.topic, p.partition, p.offset, p.metadata] for p in listed))
