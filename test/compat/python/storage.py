"""A log that the broker compacts, and one of which it keeps only the end on its disk."""

import socket
import struct

from confluent_kafka import KafkaException, OFFSET_BEGINNING, TopicPartition

from records import FIRST_TIMESTAMP
from transcript import attempt, emit, text, until

# Each batch is so much younger than the one before that it begins a segment.
BATCH_MS = 10_000
ROLLS = "rolls"
# One batch a line; a key alone is deleted.
BATCHES = [
    ["a=1", "b=1", "c=1", "d=1", "e=1"],
    ["a=2", "b", "c=2", "f=1"],
    ["a=3", "g=1", "g=2", "g=3"],
    ["c", "h"],
    ["b=4", "i=1", "h=1", "h"],
]
RECORDS = 1_080
# Together more than 64 MiB, at which a broker takes them to its other place at once.
VALUE_BYTES = 65_536
STEP_MS = 1_000
IN_THE_MIDDLE = 321
PLAIN = {"segment.bytes": "1048576", "retention.ms": "-1"}
EARLIEST_LOCAL = -4


def compaction(context):
    compact(context, "deleted", {"delete.retention.ms": "0"}, gone={"c", "h"})
    compact(context, "marked", {}, gone=set())


def compact(context, kind, extra, gone):
    """`gone`: keys of which nothing stays, not even that they were deleted."""
    topic = context.name(f"compaction-{kind}")
    configs = {
        "cleanup.policy": "compact",
        "segment.ms": "1000",
        "min.cleanable.dirty.ratio": "0.01",
        "flush.ms": "50",
    }
    context.create_topic(topic, 1, {**configs, **extra})
    producer = context.producer(linger_ms=100)
    for number, batch in enumerate(BATCHES):
        offsets = send_batch(producer, topic, FIRST_TIMESTAMP + number * BATCH_MS, batch)
        emit(f"compaction/{kind}-produced", offsets=offsets)
    rolls = iter(range(len(BATCHES), 1_000_000))

    def compacted():
        # Only what is followed by a segment is compacted; what is deleted goes with a later pass.
        send_batch(producer, topic, FIRST_TIMESTAMP + next(rolls) * BATCH_MS, [f"{ROLLS}=1"])
        keys = [text(message.key()) for message in kept(context, topic)]
        return len(set(keys)) == len(keys) and not gone & set(keys)

    until(f"compaction of {topic}", compacted)
    _, error = context.send(producer, topic, value="v", partition=0)
    emit(f"compaction/{kind}-without-a-key", error=error)
    for message in kept(context, topic):
        emit(
            f"compaction/{kind}-consumed",
            offset=message.offset(),
            key=text(message.key()),
            value=text(message.value()),
            timestamp=message.timestamp()[1],
        )
    emit_places(context, kind, topic)


def send_batch(producer, topic, timestamp, records):
    offsets = []

    def delivered(error, message):
        if error:
            raise KafkaException(error)
        offsets.append(message.offset())

    for record in records:
        key, _, value = record.partition("=")
        producer.produce(
            topic,
            key=key,
            value=value or None,
            partition=0,
            timestamp=timestamp,
            on_delivery=delivered,
        )
    producer.flush(20)
    return offsets


def kept(context, topic):
    """Everything but what only made the log go on. Its last record is at the end: it is active."""
    consumer = context.consumer()
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10, cached=False)
    messages = list(read(consumer, topic, end))
    consumer.close()
    return [message for message in messages if text(message.key()) != ROLLS]


def read(consumer, topic, end):
    """What comes from the beginning, up to the record before `end`."""
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    messages = []

    def complete():
        for message in consumer.consume(500, 0.05):
            if message.error():
                raise KafkaException(message.error())
            messages.append(message)
        return messages and messages[-1].offset() == end - 1

    until(f"the end of {topic}", complete)
    return messages


def emit_places(context, kind, topic):
    """Where the log begins, and what comes for an offset and a time at which nothing is left."""
    consumer = context.consumer()
    partition = TopicPartition(topic, 0)
    beginning, _ = consumer.get_watermark_offsets(partition, timeout=10, cached=False)
    asked = TopicPartition(topic, 0, FIRST_TIMESTAMP + BATCH_MS)
    (at_time,) = consumer.offsets_for_times([asked], timeout=10)
    first = first_from(consumer, topic, 5)
    consumer.close()
    emit(
        f"compaction/{kind}-places",
        beginning=beginning,
        atTime=at_time.offset,
        from5=first[0].offset(),
    )


def first_from(consumer, topic, offset, count=1):
    consumer.assign([TopicPartition(topic, 0, offset)])
    messages = []

    def complete():
        message = consumer.poll(0.05)
        if message is not None and message.error():
            raise KafkaException(message.error())
        if message is not None:
            messages.append(message)
        return len(messages) >= count

    until("a record", complete)
    return messages


def tiered(context):
    topic = context.name("tiered")
    configs = {**PLAIN, "remote.storage.enable": "true", "local.retention.bytes": "1048576"}
    created = []

    def create():
        context.create_topic(topic, 1, configs)
        created.append(True)

    attempt("tiered/created", create)
    if not created:
        context.create_topic(topic, 1, PLAIN)
    emit("tiered/produced", offsets=produce(context, topic))
    until(
        "the head of the log to leave the disk",
        lambda: not created or earliest_local(context, topic) > 0,
    )
    consumer = context.consumer()
    earliest, latest = consumer.get_watermark_offsets(
        TopicPartition(topic, 0), timeout=10, cached=False
    )
    emit("tiered/offsets", earliest=earliest, latest=latest)
    emit("tiered/earliest-local", isAboveEarliest=earliest_local(context, topic) > earliest)
    messages = read(consumer, topic, latest)
    wrong = [
        f"{number}: {message.offset()}"
        for number, message in enumerate(messages)
        if not is_record(message, number)
    ]
    emit("tiered/consumed", records=len(messages), wrong=wrong[:3])
    time = FIRST_TIMESTAMP + IN_THE_MIDDLE * STEP_MS - STEP_MS // 2
    (found,) = consumer.offsets_for_times([TopicPartition(topic, 0, time)], timeout=10)
    keys = [text(m.key()) for m in first_from(consumer, topic, found.offset, count=3)]
    emit("tiered/from-a-time", offset=found.offset, keys=keys)
    consumer.close()


def produce(context, topic):
    """How many got the offset that is their number."""
    producer = context.producer(linger_ms=5)
    in_order = []

    def delivered(error, message):
        if error:
            raise KafkaException(error)
        in_order.append(message.key() == str(message.offset()).encode())

    for number in range(RECORDS):
        producer.produce(
            topic,
            key=str(number),
            value=value_of(number),
            partition=0,
            timestamp=FIRST_TIMESTAMP + number * STEP_MS,
            on_delivery=delivered,
        )
        producer.poll(0)
    producer.flush(20)
    return sum(in_order)


def value_of(number):
    return (f"value-{number};" * 9_000).encode()[:VALUE_BYTES]


def is_record(message, number):
    return (
        message.offset() == number
        and message.timestamp()[1] == FIRST_TIMESTAMP + number * STEP_MS
        and text(message.key()) == str(number)
        and message.value() == value_of(number)
    )


def earliest_local(context, topic):
    """The first offset on the broker's disk: ListOffsets 8, which librdkafka does not ask for."""
    host, _, port = context.bootstrap.partition(":")
    name = topic.encode()
    header = struct.pack(">hhihb", 2, 8, 1, -1, 0)
    body = struct.pack(">ibb", -1, 0, 2) + struct.pack(">b", len(name) + 1) + name
    body += struct.pack(">biiqbbb", 2, 0, -1, EARLIEST_LOCAL, 0, 0, 0)
    request = header + body
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", receive(connection, 4))
        answer = receive(connection, size)
    # The answer ends with error, timestamp, offset, leader epoch and three empty sets of tags.
    error, _, offset, _ = struct.unpack(">hqqi", answer[-25:-3])
    if error != 0:
        raise RuntimeError(f"ListOffsets refused: {error}")
    return offset


def receive(connection, size):
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise ConnectionError("the broker closed the connection")
        received += part
    return received
