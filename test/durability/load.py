"""Load for the durability lane: one idempotent producer and one group member, over librdkafka.

    load.py BOOTSTRAP TOPIC PARTITIONS GROUP RATE [BURST_MS]

Writes its history to standard output, a line an event, each flushed as it happens:

    A partition offset value     the broker acknowledged the value at this offset
    E value reason               the client gave the value up; it may or may not be in the log
    P partition offset value     the member polled it
    C partition offset           a commit of this position was acknowledged
    F partition offset           the broker says that this is committed
    X reason                     the client can't go on (never expected)

Values are 0, 1, 2 … ; value v goes to partition v mod PARTITIONS, as its eight bytes and some padding.
With BURST_MS each partition gets a burst every so many ms, once the one before is answered: while
batches wait because five requests are under way, librdkafka polls without a pause, and takes a core.
It ends when its standard input does: the producer flushes, the member commits, and both leave.
"""

import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

BOOTSTRAP, TOPIC, PARTITIONS, GROUP, RATE = sys.argv[1:6]
PARTITIONS, RATE = int(PARTITIONS), int(RATE)
BURST_MS = int(sys.argv[6]) if len(sys.argv) > 6 else 0
FLUSH_SECONDS_MAX = 60
PADDING = b"." * 92

output = threading.Lock()
stopping = threading.Event()


def tell(*words):
    with output:
        sys.stdout.write(" ".join(str(word) for word in words) + "\n")
        sys.stdout.flush()


def patient(extra):
    """Settings that reconnect at once and never give up while the broker is away."""
    return {
        "bootstrap.servers": BOOTSTRAP,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 100,
        "error_cb": lambda error: tell("X", error.str()) if error.fatal() else None,
        "log_level": 0,
        **extra,
    }


def create_topic():
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result()


def produce():
    waiting = [0] * PARTITIONS

    def delivered(error, message):
        waiting[message.partition()] -= 1
        value = int.from_bytes(message.value()[:8], "big")
        if error is None:
            tell("A", message.partition(), message.offset(), value)
        else:
            tell("E", value, error.name())

    producer = Producer(
        patient(
            {
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 2,
                "retry.backoff.ms": 20,
                "message.timeout.ms": 120_000,
            }
        )
    )
    def send(value):
        partition = value % PARTITIONS
        producer.produce(
            TOPIC, value.to_bytes(8, "big") + PADDING, partition=partition, on_delivery=delivered
        )
        waiting[partition] += 1

    if BURST_MS:
        produce_in_bursts(producer, send, waiting)
    else:
        produce_by_time(producer, send)
    left = producer.flush(FLUSH_SECONDS_MAX)
    if left:
        tell("X", f"{left} messages were not delivered in {FLUSH_SECONDS_MAX} s")


def produce_by_time(producer, send):
    value = 0
    started = time.monotonic()
    while not stopping.is_set():
        due = int((time.monotonic() - started) * RATE)
        while value < due and not stopping.is_set():
            try:
                send(value)
                value += 1
            except BufferError:
                due = value
        producer.poll(0.005)


def produce_in_bursts(producer, send, waiting):
    values = list(range(PARTITIONS))
    burst = max(1, RATE * BURST_MS // 1000 // PARTITIONS)
    due = time.monotonic()
    while not stopping.is_set():
        producer.poll(0.005)
        if time.monotonic() < due:
            continue
        due = time.monotonic() + BURST_MS / 1000
        for partition in range(PARTITIONS):
            for _ in range(burst if waiting[partition] == 0 else 0):
                send(values[partition])
                values[partition] += PARTITIONS


def consume():
    member = Consumer(
        patient(
            {
                "group.id": GROUP,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": 10_000,
                "check.crcs": True,
            }
        )
    )
    member.subscribe([TOPIC])
    positions = {}
    all_partitions = [TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)]
    while not stopping.is_set():
        for message in member.consume(500, 0.1):
            if message.error() is None:
                positions[message.partition()] = message.offset() + 1
                value = int.from_bytes(message.value()[:8], "big")
                tell("P", message.partition(), message.offset(), value)
        commit(member, positions)
        ask(member, all_partitions)
    member.close()


def commit(member, positions):
    if not positions:
        return
    wanted = [TopicPartition(TOPIC, partition, offset) for partition, offset in positions.items()]
    try:
        for done in member.commit(offsets=wanted, asynchronous=False):
            if done.error is None:
                tell("C", done.partition, done.offset)
    except KafkaException as failure:
        if failure.args[0].code() == KafkaError._FATAL:
            tell("X", failure)


def ask(member, partitions):
    try:
        for found in member.committed(partitions, timeout=2):
            if found.error is None and found.offset >= 0:
                tell("F", found.partition, found.offset)
    except KafkaException:
        pass  # the broker is away; the next round asks again


def guarded(work):
    try:
        work()
    except Exception as failure:  # told, so that the lane fails with a reason
        tell("X", repr(failure))


create_topic()
threads = [threading.Thread(target=guarded, args=(work,)) for work in (produce, consume)]
for thread in threads:
    thread.start()
sys.stdin.read()
stopping.set()
for thread in threads:
    thread.join()
