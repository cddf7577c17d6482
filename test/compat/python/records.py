"""Produced and consumed records, and what the broker refuses."""

import time

from confluent_kafka import KafkaException, OFFSET_END, TIMESTAMP_LOG_APPEND_TIME, TopicPartition
from confluent_kafka.admin import OffsetSpec

from transcript import attempt, emit, error_name, only, text, until

FIRST_TIMESTAMP = 1_700_000_000_000
AN_HOUR_MS = 3_600_000
# Records with old timestamps, kept when the broker looks for expired ones.
KEPT = {"retention.ms": "-1"}


def codecs(context):
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        topic = context.name(f"codec-{codec}")
        context.create_topic(topic, 1)
        producer = context.producer(compression_type=codec, linger_ms=20)
        offsets = []
        for i in range(20):
            producer.produce(
                topic,
                key=f"key-{i}",
                value=f"value-{i};" * 40,
                on_delivery=lambda error, message: offsets.append(
                    error_name(error) if error else message.offset()
                ),
            )
        producer.flush(20)
        messages = context.read_all(topic, 1)
        intact = all(text(m.value()) == f"value-{m.offset()};" * 40 for m in messages)
        emit(f"codecs/{codec}", offsets=offsets, consumed=len(messages), intact=intact)


def records(context):
    topic = context.name("records")
    context.create_topic(topic, 3, KEPT)
    producer = context.producer()
    headers = [("h", b"1"), ("empty", b""), ("null", None), ("h", b"2")]
    sent = [
        dict(key="k1", value="v1", partition=0, headers=headers, timestamp=FIRST_TIMESTAMP),
        dict(value="v2", partition=0),
        dict(key="k3", partition=0),
        dict(key="", value="", partition=1, timestamp=FIRST_TIMESTAMP + 1000),
        dict(partition=2, timestamp=1),
        dict(key="clé", value="välue ☃", partition=2),
        *[dict(key=f"key-{i}", value="partitioned") for i in range(10)],
    ]
    for record in sent:
        message, error = context.send(producer, topic, **record)
        if error:
            emit("records/produced", key=record.get("key"), error=error)
        else:
            emit(
                "records/produced",
                key=record.get("key"),
                partition=message.partition(),
                offset=message.offset(),
            )
    for message in context.read_all(topic, 3):
        emit_message("records/consumed", message)


def timestamps(context):
    topic = context.name("timestamps")
    context.create_topic(topic, 1, {"message.timestamp.type": "LogAppendTime"})
    message, error = context.send(context.producer(), topic, value="v", timestamp=FIRST_TIMESTAMP)
    emit(
        "timestamps/produced",
        error=error,
        offset=message.offset(),
        timestamp=when(message.timestamp()[1]),
    )
    for message in context.read_all(topic, 1):
        emit_message("timestamps/consumed", message)


def emit_message(at, message):
    kind, millis = message.timestamp()
    emit(
        at,
        partition=message.partition(),
        offset=message.offset(),
        key=text(message.key()),
        value=text(message.value()),
        headers=[[name, text(value)] for name, value in message.headers() or []],
        timestampType="LogAppendTime" if kind == TIMESTAMP_LOG_APPEND_TIME else "CreateTime",
        timestamp=when(millis),
    )


def when(millis):
    return "now" if abs(time.time() * 1000 - millis) < AN_HOUR_MS else millis


def seek(context):
    topic = context.name("seek")
    context.create_topic(topic, 1, KEPT)
    producer = context.producer()
    for i in range(10):
        context.send(producer, topic, value=f"v{i}", timestamp=FIRST_TIMESTAMP + i * 1000)
    consumer = context.consumer(auto_offset_reset="error")
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    emit("seek/offsets", beginning=low, end=high)
    times = {"before-first": -1, "between": 4500, "exactly": 5000, "after-last": 9001}
    for name, after in times.items():
        (found,) = consumer.offsets_for_times(
            [TopicPartition(topic, 0, FIRST_TIMESTAMP + after)], timeout=10
        )
        emit(f"seek/{name}", offset="end" if found.offset == OFFSET_END else found.offset)
    consumer.assign([TopicPartition(topic, 0, 7)])
    emit("seek/from-7", values=values_until(consumer, 3))
    consumer.seek(TopicPartition(topic, 0, 2))
    emit("seek/back-to-2", values=values_until(consumer, 2))
    consumer.assign([TopicPartition(topic, 0, 11)])
    attempt("seek/out-of-range", lambda: values_until(consumer, 1))
    consumer.close()
    specs = {
        "earliest": OffsetSpec.earliest(),
        "latest": OffsetSpec.latest(),
        "max-timestamp": OffsetSpec.max_timestamp(),
        "for-timestamp": OffsetSpec.for_timestamp(FIRST_TIMESTAMP + 2500),
    }
    for name, spec in specs.items():
        found = only(context.admin.list_offsets({TopicPartition(topic, 0): spec}))
        emit(f"seek/list-{name}", offset=found.offset, timestamp=found.timestamp)


def values_until(consumer, count):
    values = []

    def complete():
        message = consumer.poll(0.05)
        if message is not None and message.error():
            raise KafkaException(message.error())
        if message is not None:
            values.append(text(message.value()))
        return len(values) >= count

    until(f"{count} records", complete)
    return values


def idempotent(context):
    topic = context.name("idempotent")
    context.create_topic(topic, 1)
    producer = context.producer(enable_idempotence=True, batch_num_messages=7, linger_ms=1)
    offsets = []
    for i in range(200):
        producer.produce(
            topic,
            value=f"value-{i}",
            on_delivery=lambda error, message: offsets.append(
                error_name(error) if error else message.offset()
            ),
        )
    producer.flush(20)
    values = [text(message.value()) for message in context.read_all(topic, 1)]
    expected = [f"value-{i}" for i in range(200)]
    emit(
        "idempotent/consumed",
        records=len(values),
        inOrder=values == expected and offsets == list(range(200)),
    )


def errors(context):
    consumer = context.consumer(allow_auto_create_topics=False)
    consumer.subscribe([context.name("nowhere")])
    attempt("errors/consume-unknown-topic", lambda: values_until(consumer, 1))
    unknown = [TopicPartition(context.name("nowhere"), 0, 1)]
    attempt(
        "errors/commit-to-unknown-topic",
        lambda: committed(consumer.commit(offsets=unknown, asynchronous=False)),
    )
    consumer.close()
    producer = context.producer(message_max_bytes=2_000_000)

    def emit_sent(at, topic, **record):
        message, error = context.send(producer, topic, **record)
        emit(
            f"errors/{at}",
            error=error or "NONE",
            **({"offset": message.offset()} if message else {}),
        )

    emit_sent("produce-unknown-topic-is-created", context.name("created"), value="v")
    created = context.admin.list_topics(context.name("created"), timeout=10).topics[
        context.name("created")
    ]
    emit("errors/created", partitions=len(created.partitions))
    context.create_topic(context.name("small"), 1, {"max.message.bytes": "1000"})
    emit_sent("produce-oversized", context.name("small"), value=b"\0" * 1001)
    emit_sent("produce-fitting", context.name("small"), value=b"\0" * 500)
    emit_sent("produce-over-broker-limit", context.name("created"), value=b"\0" * 1_500_000)
    context.create_topic(context.name("keyed"), 1, {"cleanup.policy": "compact"})
    emit_sent("produce-without-key-to-compacted", context.name("keyed"), value="v")


def committed(partitions):
    for partition in partitions:
        if partition.error:
            raise KafkaException(partition.error)
