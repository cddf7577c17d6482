"""Load for the soak, over librdkafka: one producer or one group member, for the life of one topic.

    load.py produce BOOTSTRAP TOPIC PARTITIONS BYTES_PER_SECOND SEED KEY=VALUE,…
    load.py member  BOOTSTRAP TOPIC GROUP CHECKED

PARTITIONS is a list as in 0,1,2. Record n of a partition begins with n in eight bytes, so that a
member can tell whether a record of a partition below CHECKED lies at its own offset: exactly once,
in order. Both work until their standard input ends, and write lines:

    A partition count        the producer's acknowledged records, at its end
    R partition from to      the member got these offsets, `to` not among them; said before a commit
    X reason                 what must not happen
"""

import random
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

FLUSH_SECONDS_MAX = 60
REPORT_SECONDS = 1.0

stopping = threading.Event()


def tell(*words):
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def client(bootstrap, extra):
    return {
        "bootstrap.servers": bootstrap,
        "error_cb": lambda error: tell("X", error.str()) if error.fatal() else None,
        "log_level": 0,
        **extra,
    }


def record_size(chance):
    """100 B to 100 KB: most are small, and most bytes are in the large ones."""
    kind = chance.random()
    if kind < 0.70:
        return chance.randint(100, 500)
    if kind < 0.95:
        return chance.randint(1_000, 8_000)
    return chance.randint(20_000, 100_000)


def produce(bootstrap, topic, partitions, rate, seed, settings):
    partitions = [int(partition) for partition in partitions.split(",")]
    rate, chance = int(rate), random.Random(int(seed))
    sent = {partition: 0 for partition in partitions}
    acknowledged = dict(sent)
    # Half noise, half zeros: a codec makes something of it, as of real records.
    noise = b"".join(chance.randbytes(512) + bytes(512) for _ in range(200))

    def delivered(error, message):
        if error is None:
            acknowledged[message.partition()] += 1
        else:
            tell("X", "a record was not delivered:", error.name())

    extra = dict(setting.split("=") for setting in settings.split(","))
    producer = Producer(client(bootstrap, {"linger.ms": 5, **extra}))
    started, sent_bytes = time.monotonic(), 0
    while not stopping.is_set():
        due = (time.monotonic() - started) * rate
        while sent_bytes < due and not stopping.is_set():
            partition, size = chance.choice(partitions), record_size(chance)
            at = chance.randrange(len(noise) - size)
            value = sent[partition].to_bytes(8, "big") + noise[at : at + size - 8]
            try:
                producer.produce(topic, value, partition=partition, on_delivery=delivered)
            except BufferError:
                break
            sent[partition] += 1
            sent_bytes += size
        producer.poll(0.005)
    left = producer.flush(FLUSH_SECONDS_MAX)
    if left:
        tell("X", f"{left} records were not delivered in {FLUSH_SECONDS_MAX} s")
    for partition, count in acknowledged.items():
        tell("A", partition, count)


class Member:
    def __init__(self, bootstrap, topic, group, checked):
        self.topic, self.checked = topic, int(checked)
        self.ranges = {}
        settings = {
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 1_000,
            "check.crcs": True,
        }
        self.consumer = Consumer(client(bootstrap, settings))

    def run(self):
        self.consumer.subscribe([self.topic], on_revoke=lambda *_: self.report())
        reported = time.monotonic()
        while not stopping.is_set():
            for message in self.consumer.consume(500, 0.1):
                if message.error() is None:
                    self.got(message)
            if time.monotonic() - reported > REPORT_SECONDS:
                self.report()
                reported = time.monotonic()
        self.report()
        self.consumer.close()

    def got(self, message):
        partition, offset = message.partition(), message.offset()
        if partition < self.checked:
            number = int.from_bytes(message.value()[:8], "big")
            if number != offset:
                tell("X", f"record {number} of partition {partition} lies at {offset}")
        known = self.ranges.get(partition)
        if known is None or known[1] != offset:
            self.say(partition)
            self.ranges[partition] = [offset, offset + 1]
        else:
            known[1] = offset + 1

    def say(self, partition):
        known = self.ranges.pop(partition, None)
        if known is not None:
            tell("R", partition, *known)

    def report(self):
        """What is committed was told before: a member that is killed then leaves no gap."""
        for partition in list(self.ranges):
            self.say(partition)
        try:
            self.consumer.commit(asynchronous=False)
        except KafkaException as failure:
            if failure.args[0].code() == KafkaError._FATAL:
                tell("X", failure)


def member(*args):
    Member(*args).run()


def guarded(work, *args):
    try:
        work(*args)
    except Exception as failure:  # told, so that the soak fails with a reason
        tell("X", repr(failure))


work = threading.Thread(target=guarded, args=({"produce": produce, "member": member}[sys.argv[1]], *sys.argv[2:]))
work.start()
sys.stdin.read()
stopping.set()
work.join()
